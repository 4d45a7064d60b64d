"""Resolving a recipe for an encoder.

A requested setting that the encoder cannot have is refused; a preset's one is adapted with a note.
"""

from typing import Any

import pytest

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import EncoderFacts
from shared.recipe import (
    PRESETS,
    AutoPrecision,
    HostedHyperparameters,
    Recipe,
    RecipeRequest,
    RecipeResolution,
    resolve_recipe,
)
from shared.recipe.fields import Preset

BERT = EncoderFacts(
    "base", "bert", num_hidden_layers=12, hidden_size=768, max_position_embeddings=512
)
ROBERTA = EncoderFacts(
    "rob", "roberta", num_hidden_layers=12, hidden_size=768, max_position_embeddings=512
)
ALBERT = EncoderFacts(
    "albert-base",
    "albert",
    num_hidden_layers=12,
    hidden_size=768,
    max_position_embeddings=512,
    shared_blocks=1,
)
FOUR_BLOCKS = EncoderFacts(
    "albert-4",
    "albert",
    num_hidden_layers=12,
    hidden_size=768,
    max_position_embeddings=512,
    shared_blocks=4,
)


def resolve(facts: EncoderFacts, **requested: Any) -> RecipeResolution:
    return resolve_recipe(RecipeRequest(**requested), facts, train_rows=1000)


def get_refusal(facts: EncoderFacts, **requested: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        resolve(facts, **requested)
    assert caught.value.message.endswith(".")
    return caught.value


def test_a_missing_pooler_is_refused_if_requested_and_dropped_from_a_preset() -> None:
    refused = get_refusal(ROBERTA, reinit_pooler=True)
    assert refused.param == "recipe.reinit_pooler"
    assert "rob (roberta) has no pre-trained pooler" in refused.message
    recipe, notes, _ = resolve(ROBERTA, preset="stabilized")
    assert not recipe.reinit_pooler
    assert notes["reinit_pooler"].startswith("false: rob (roberta) has no pre-trained pooler")
    recipe, notes, _ = resolve(BERT, preset="stabilized")
    assert recipe.reinit_pooler
    assert "reinit_pooler" not in notes
    assert not resolve(ROBERTA, reinit_pooler=False).recipe.reinit_pooler


@pytest.mark.parametrize("layers", [13, [12], [0, 40]])
def test_unknown_blocks_are_refused(layers: int | list[int]) -> None:
    refused = get_refusal(BERT, reinit_layers=layers)
    assert refused.param == "recipe.reinit_layers"
    assert refused.message == f"recipe.reinit_layers is {layers}, but base has 12 blocks."


@pytest.mark.parametrize("layers", [0, 12, [11], [0, 5]])
def test_known_blocks_are_accepted(layers: int | list[int]) -> None:
    assert resolve(BERT, reinit_layers=layers).recipe.reinit_layers == layers


def test_shared_layers_are_counted_in_blocks_of_weights() -> None:
    for layers in (1, [0]):
        recipe, notes, _ = resolve(ALBERT, reinit_layers=layers)
        assert recipe.reinit_layers == layers
        assert "the 12 layers of albert-base share one block of weights" in notes["reinit_layers"]
    for layers in (2, 12, [1]):
        refused = get_refusal(ALBERT, reinit_layers=layers)
        assert refused.param == "recipe.reinit_layers"
        assert "albert-base share one block of weights" in refused.message
    assert resolve(FOUR_BLOCKS, reinit_layers=4).recipe.reinit_layers == 4
    assert "share 4 blocks of weights" in get_refusal(FOUR_BLOCKS, reinit_layers=5).message


@pytest.mark.parametrize(("blocks", "depth"), [(1, 0), (4, 0), (6, 1), (None, 2)])
def test_the_automatic_depth_never_exceeds_a_sixth_of_the_layers(
    blocks: int | None, depth: int
) -> None:
    facts = EncoderFacts("a", "albert", 12, 768, 512, shared_blocks=blocks)
    recipe, notes, _ = resolve(facts, preset="reinit")
    assert recipe.reinit_layers == depth
    assert notes["reinit_layers"].startswith(f"{depth}: a sixth of the")


def test_pilots_search_no_depth_for_shared_layers() -> None:
    assert "reinit_layers" not in resolve(ALBERT).automatic
    assert "reinit_layers" in resolve(BERT).automatic


def test_the_rate_is_searched_by_the_default_preset_or_on_request() -> None:
    assert resolve(BERT, preset="conventional").automatic == []
    assert resolve(BERT, preset="conventional", learning_rate="auto").automatic == ["learning_rate"]
    given = resolve(BERT, learning_rate=3e-5)
    assert (given.recipe.learning_rate, "learning_rate" in given.automatic) == (3e-5, False)
    scaled = resolve_recipe(
        RecipeRequest(), BERT, 1000, hosted=HostedHyperparameters(learning_rate_multiplier=2.0)
    )
    assert "learning_rate" not in scaled.automatic


def test_a_recipe_that_gives_length_and_depth_trains_as_given() -> None:
    given = {"max_steps": 60, "reinit_layers": 1}
    assert resolve(BERT, **given).automatic == []
    assert resolve(BERT, **given, learning_rate="auto").automatic == ["learning_rate"]
    assert "max_steps" not in resolve(BERT, max_steps=60).automatic
    assert {"reinit_layers", "learning_rate"} <= set(resolve(BERT, max_steps=60).automatic)


def test_layerwise_decay_on_shared_layers_has_a_note() -> None:
    assert (
        "share one block" in resolve(ALBERT, preset="llrd").notes["layerwise_learning_rate_decay"]
    )
    assert "layerwise_learning_rate_decay" not in resolve(BERT, preset="llrd").notes
    assert "layerwise_learning_rate_decay" not in resolve(ALBERT, preset="debiased").notes


def test_a_note_says_that_mixout_replaces_dropout() -> None:
    assert "dropout" in resolve(BERT, preset="mixout").notes["mixout"]
    assert "mixout" not in resolve(BERT, preset="mixout", mixout=0.0).notes


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "facts", [BERT, ROBERTA, ALBERT, FOUR_BLOCKS], ids=lambda facts: facts.name
)
def test_every_preset_fits_every_encoder(facts: EncoderFacts, preset: str) -> None:
    recipe, notes, _ = resolve(facts, preset=preset)
    assert recipe.preset == preset
    assert all(note.endswith(".") for note in notes.values())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("requested", [{}, {"precision": "auto"}])
def test_the_precision_is_the_machine_s_unless_requested(
    preset: Preset, requested: dict[str, Any]
) -> None:
    machine = AutoPrecision("bfloat16", "the processor multiplies it natively (amx_bf16)")
    resolution = resolve_recipe(RecipeRequest(preset=preset, **requested), BERT, 1000, machine)
    assert resolution.recipe.precision == "bfloat16"
    assert (
        resolution.notes["precision"]
        == "bfloat16: the processor multiplies it natively (amx_bf16)."
    )
    assert "precision" not in resolution.automatic  # pilots search by scores alone
    recipe, notes, _ = resolve_recipe(
        RecipeRequest(preset=preset, precision="float32"), BERT, 1000, machine
    )
    assert recipe.precision == "float32"
    assert "precision" not in notes


def test_a_stored_recipe_without_precision_means_float32() -> None:
    stored = resolve(BERT).recipe.model_dump(mode="json")
    del stored["precision"]
    assert Recipe.model_validate(stored).precision == "float32"


def test_a_fitted_head_is_a_checkpoint_by_itself() -> None:
    recipe = resolve(BERT, reinit_layers=0, max_steps=40, eval_points=4).recipe
    assert recipe.checkpoint_steps == [10, 20, 30, 40]
    fitted = recipe.model_copy(update={"head_first": True})
    assert fitted.checkpoint_steps == [1, 10, 20, 30, 40]
    assert fitted.model_copy(update={"max_steps": 1}).checkpoint_steps == [1]
