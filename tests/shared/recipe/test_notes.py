"""Every automatic value has a sentence that says why, whatever else is given."""

from itertools import product
from typing import Any

import pytest

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import EncoderFacts
from shared.recipe import PRESETS, RecipeRequest, RecipeResolution, resolve_recipe
from shared.recipe.fields import Preset

ENCODERS = [
    EncoderFacts("sentence", "bert", 6, 384, 512, None, "mean"),
    EncoderFacts("plain", "roberta", 12, 768, 512),
    EncoderFacts("shared", "albert", 12, 768, 512, shared_blocks=4),
]
GIVEN: dict[str, list[Any]] = {
    "learning_rate": ["auto", 3e-5],
    "num_train_epochs": ["auto"],
    "pooling": ["auto", "family", "mean"],
    "pair_encoding": ["auto", "joined", "separate", "aligned"],
    "head_first": ["auto", True],
    "reinit_layers": ["auto", 1, [0]],
    "reinit_pooler": [False, True],
}
"""Values by setting; in a request each setting may also be left to the preset."""
NOTED_AS = {"num_train_epochs": "max_steps"}


def list_requests(preset: Preset) -> list[RecipeRequest]:
    """List every combination of given and omitted settings."""
    choices = [[(name, value) for value in [None, *values]] for name, values in GIVEN.items()]
    return [
        RecipeRequest(preset=preset, **{name: value for name, value in chosen if value is not None})
        for chosen in product(*choices)
    ]


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("facts", ENCODERS, ids=lambda facts: facts.name)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_automatic_setting_has_a_note(
    preset: Preset, facts: EncoderFacts, pairs: bool
) -> None:
    checked = 0
    for request in list_requests(preset):
        try:
            resolution = resolve_recipe(request, facts, 1000, pairs=pairs)
        except InvalidValue:  # settings that exclude each other, or that the encoder cannot have
            continue
        check_notes(request, resolution)
        checked += 1
    assert checked > 300


def check_notes(request: RecipeRequest, resolution: RecipeResolution) -> None:
    settings = PRESETS[request.preset] | request.model_dump(exclude_none=True)
    automatic = {name for name, value in settings.items() if value == "auto"}
    for name in {NOTED_AS.get(name, name) for name in automatic}:
        value, note = getattr(resolution.recipe, name), resolution.notes[name]
        is_name = isinstance(value, bool | str)
        shown = str(value).lower() if is_name else f"{value:g}"
        assert note.startswith(f"{shown}: "), (name, request, note)
        assert note.endswith("."), (name, request)


@pytest.mark.parametrize(
    ("given", "name"),
    [({"reinit_layers": 1}, "reinit_layers"), ({"reinit_pooler": True}, "reinit_pooler")],
)
def test_a_depth_given_by_hand_explains_the_family_s_head(given: dict[str, Any], name: str) -> None:
    notes = resolve_recipe(RecipeRequest(**given), ENCODERS[0], 1000, pairs=True).notes
    assert notes["pooling"] == f"family: {name} is given, which means the family's own network."
    assert notes["head_first"] == f"false: {name} is given, which means the family's own network."
    assert notes["pair_encoding"].startswith("joined: the family's own head reads both texts")
