"""The head's switches: what they resolve to, and what is refused."""

from typing import Literal

import pytest

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.recipe import Recipe, RecipeRequest, RecipeResolution, resolve_recipe
from shared.recipe.head_choice import require_pairs
from tests.worker.training.runs import make_recipe, make_task


def resolve(**requested: object) -> RecipeResolution:
    facts = Catalogue().get_facts(OFFLINE_ENCODER)
    return resolve_recipe(RecipeRequest.model_validate(requested), facts, train_rows=1000)


def test_the_default_is_the_familys_head_on_joined_pairs() -> None:
    recipe, notes, _ = resolve()
    assert (recipe.pooling, recipe.pair_encoding) == ("family", "joined")
    assert recipe.reinit_pooler
    assert not recipe.head_first
    assert notes["pooling"].startswith("family: ")
    assert notes["pair_encoding"].startswith("joined: it concerns pairs alone")
    stored = make_recipe().model_dump(exclude={"pooling", "pair_encoding", "head_first"})
    assert Recipe.model_validate(stored) == make_recipe()


@pytest.mark.parametrize("encoding", ["separate", "aligned"])
def test_texts_encoded_apart_are_pooled_by_their_mean_unless_asked_otherwise(
    encoding: str,
) -> None:
    recipe, notes, _ = resolve(pair_encoding=encoding)
    assert (recipe.pooling, recipe.pair_encoding) == ("mean", encoding)
    assert recipe.head_first
    assert notes["pooling"].startswith("mean: ")
    recipe, notes, _ = resolve(pair_encoding=encoding, pooling="cls")
    assert recipe.pooling == "cls"
    assert "pooling" not in notes


def test_a_pooler_that_is_not_used_is_not_re_initialized() -> None:
    recipe, notes, _ = resolve(pooling="mean")
    assert not recipe.reinit_pooler
    assert notes["reinit_pooler"] == "false: with recipe.pooling mean no pooler is used."


@pytest.mark.parametrize(
    ("requested", "param"),
    [
        ({"pair_encoding": "separate", "pooling": "family"}, "recipe.pooling"),
        ({"pooling": "cls", "reinit_pooler": True}, "recipe.reinit_pooler"),
        ({"pair_encoding": "separate", "reinit_pooler": True}, "recipe.reinit_pooler"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    requested: dict[str, object], param: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        resolve(**requested)
    assert caught.value.param == param


@pytest.mark.parametrize("encoding", ["separate", "aligned"])
def test_single_texts_cannot_be_encoded_apart(encoding: Literal["separate", "aligned"]) -> None:
    request = RecipeRequest(pair_encoding=encoding)
    with pytest.raises(InvalidValue, match="the task has single texts") as caught:
        require_pairs(request, make_task())
    assert caught.value.param == "recipe.pair_encoding"
    require_pairs(request, make_task(text_pair_column="other"))
    require_pairs(RecipeRequest(), make_task())
