"""Ids of published models."""

import pytest

from shared.names import model_id


@pytest.mark.parametrize(
    ("suffix", "shown"), [("My first  model ", "My-first-model"), ("v1.2_b", "v1.2_b"), (None, "")]
)
def test_the_suffix_becomes_one_word_of_the_id(suffix: str | None, shown: str) -> None:
    assert model_id("tiny", "local", suffix, "ftjob-0123456789abcdef") == f"ft:tiny:local:{shown}:89abcdef"
