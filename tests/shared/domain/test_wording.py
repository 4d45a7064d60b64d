"""Words that agree with numbers."""

import pytest

from shared.domain.errors import InvalidValue
from shared.domain.wording import choose_verb, format_count, join_alternatives
from shared.encoders.catalogue import EncoderFacts
from shared.recipe import RecipeRequest
from shared.recipe.resolution import resolve_recipe


def test_a_count_agrees_with_its_noun() -> None:
    assert format_count(0, "row") == "0 rows"
    assert format_count(1, "row") == "1 row"
    assert format_count(200_000, "row") == "200,000 rows"
    assert (choose_verb(1, "is", "are"), choose_verb(0, "is", "are")) == ("is", "are")


def test_alternatives_are_joined() -> None:
    assert join_alternatives(["a"]) == "a"
    assert join_alternatives(["a", "b"]) == "a or b"
    assert join_alternatives(["a", "b", "c"]) == "a, b or c"


def test_a_model_of_one_block_has_1_block() -> None:
    facts = EncoderFacts("small", "bert", 1, 32, 64)
    with pytest.raises(InvalidValue, match=r"small has 1 block\."):
        resolve_recipe(RecipeRequest(reinit_layers=2), facts, 40)
