"""Ids of published models."""

import pytest

from shared.domain.naming import build_kept_model_id, build_model_id, get_base_name


@pytest.mark.parametrize(
    ("suffix", "shown"), [("My first  model ", "My-first-model"), ("v1.2_b", "v1.2_b"), (None, "")]
)
def test_the_suffix_becomes_one_word_of_the_id(suffix: str | None, shown: str) -> None:
    assert (
        build_model_id("tiny", "local", suffix, "ftjob-0123456789abcdef")
        == f"ft:tiny:local:{shown}:89abcdef"
    )


@pytest.mark.parametrize(
    ("data_seed", "fold", "end"),
    [(3, None, ":seed-3"), (7, None, ":seed-3-7"), (3, 0, ":seed-3:fold-0")],
)
def test_a_run_that_was_kept_is_told_from_the_others_and_names_its_base_model(
    data_seed: int, fold: int | None, end: str
) -> None:
    best = build_model_id("folder:with-colon", "local", "films", "ftjob-0123456789abcdef")
    kept = build_kept_model_id(best, 3, data_seed, fold)
    assert kept == best + end
    assert get_base_name(kept) == get_base_name(best) == "folder:with-colon"
    assert build_model_id(kept, "local", None, "ftjob-x") == "ft:folder:with-colon:local::ftjob-x"
