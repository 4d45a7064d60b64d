"""What a recipe becomes on an encoder: explicit wishes that it cannot have are refused, what a preset brings is adapted and said."""

from typing import Any

import pytest

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import EncoderFacts
from shared.recipe import (
    PRESETS,
    AutoPrecision,
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


def resolved(facts: EncoderFacts, **asked: Any) -> RecipeResolution:
    return resolve_recipe(RecipeRequest(**asked), facts, train_rows=1000)


def refusal(facts: EncoderFacts, **asked: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        resolved(facts, **asked)
    assert caught.value.message.endswith(".")
    return caught.value


def test_a_pooler_that_the_family_lacks_is_refused_when_asked_for_and_left_out_of_a_preset() -> (
    None
):
    refused = refusal(ROBERTA, reinit_pooler=True)
    assert refused.param == "recipe.reinit_pooler"
    assert "rob (roberta) has no pre-trained pooler" in refused.message
    recipe, notes, _ = resolved(ROBERTA, preset="stabilized")
    assert not recipe.reinit_pooler
    assert notes["reinit_pooler"].startswith("false: rob (roberta) has no pre-trained pooler")
    recipe, notes, _ = resolved(BERT, preset="stabilized")
    assert recipe.reinit_pooler
    assert "reinit_pooler" not in notes
    assert not resolved(ROBERTA, reinit_pooler=False).recipe.reinit_pooler


@pytest.mark.parametrize("layers", [13, [12], [0, 40]])
def test_blocks_that_are_not_there_are_refused(layers: int | list[int]) -> None:
    refused = refusal(BERT, reinit_layers=layers)
    assert refused.param == "recipe.reinit_layers"
    assert refused.message == f"recipe.reinit_layers is {layers}, but base has 12 blocks."


@pytest.mark.parametrize("layers", [0, 12, [11], [0, 5]])
def test_blocks_that_are_there_are_taken(layers: int | list[int]) -> None:
    assert resolved(BERT, reinit_layers=layers).recipe.reinit_layers == layers


def test_shared_layers_are_counted_in_blocks_of_weights() -> None:
    for layers in (1, [0]):
        recipe, notes, _ = resolved(ALBERT, reinit_layers=layers)
        assert recipe.reinit_layers == layers
        assert "the 12 layers of albert-base share one block of weights" in notes["reinit_layers"]
    for layers in (2, 12, [1]):
        refused = refusal(ALBERT, reinit_layers=layers)
        assert refused.param == "recipe.reinit_layers"
        assert "albert-base share one block of weights" in refused.message
    assert resolved(FOUR_BLOCKS, reinit_layers=4).recipe.reinit_layers == 4
    assert "share 4 blocks of weights" in refusal(FOUR_BLOCKS, reinit_layers=5).message


@pytest.mark.parametrize(("blocks", "depth"), [(1, 0), (4, 0), (6, 1), (None, 2)])
def test_automatic_depth_never_draws_more_layers_than_it_means(
    blocks: int | None, depth: int
) -> None:
    facts = EncoderFacts("a", "albert", 12, 768, 512, shared_blocks=blocks)
    recipe, notes, _ = resolved(facts, preset="reinit")
    assert recipe.reinit_layers == depth
    assert notes["reinit_layers"].startswith(f"{depth}: a sixth of the")


def test_shared_layers_leave_no_depths_for_pilots_to_try() -> None:
    assert resolved(ALBERT).automatic == ["max_steps"]
    assert resolved(BERT).automatic == ["reinit_layers", "max_steps"]


def test_what_a_method_means_on_shared_layers_is_said() -> None:
    assert (
        "share one block" in resolved(ALBERT, preset="llrd").notes["layerwise_learning_rate_decay"]
    )
    assert "layerwise_learning_rate_decay" not in resolved(BERT, preset="llrd").notes
    assert "layerwise_learning_rate_decay" not in resolved(ALBERT, preset="debiased").notes


def test_mixout_says_that_it_takes_the_place_of_dropout() -> None:
    assert "dropout" in resolved(BERT, preset="mixout").notes["mixout"]
    assert "mixout" not in resolved(BERT, preset="mixout", mixout=0.0).notes


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "facts", [BERT, ROBERTA, ALBERT, FOUR_BLOCKS], ids=lambda facts: facts.name
)
def test_every_preset_fits_every_encoder(facts: EncoderFacts, preset: str) -> None:
    recipe, notes, _ = resolved(facts, preset=preset)
    assert recipe.preset == preset
    assert all(note.endswith(".") for note in notes.values())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("asked", [{}, {"precision": "auto"}])
def test_precision_is_the_machines_unless_it_is_given(
    preset: Preset, asked: dict[str, Any]
) -> None:
    machine = AutoPrecision("bfloat16", "the processor multiplies it natively (amx_bf16)")
    resolution = resolve_recipe(
        RecipeRequest(preset=preset, **asked), BERT, 1000, machine
    )
    assert resolution.recipe.precision == "bfloat16"
    assert resolution.notes["precision"] == "bfloat16: the processor multiplies it natively (amx_bf16)."
    assert "precision" not in resolution.automatic  # pilots search by scores alone
    recipe, notes, _ = resolve_recipe(
        RecipeRequest(preset=preset, precision="float32"), BERT, 1000, machine
    )
    assert recipe.precision == "float32"
    assert "precision" not in notes


def test_a_recipe_of_before_there_was_a_choice_was_trained_in_float32() -> None:
    stored = resolved(BERT).recipe.model_dump(mode="json")
    del stored["precision"]
    assert Recipe.model_validate(stored).precision == "float32"
