"""Ids of published models."""

import pytest

from shared.domain.naming import (
    build_checkpoint_model_id,
    build_kept_model_id,
    build_model_id,
    get_base_name,
    get_published_name,
    list_possible_ids,
)


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
    checkpoint = build_checkpoint_model_id(kept, 12)
    assert checkpoint == f"{kept}:ckpt-step-12"
    for name in (best, kept, checkpoint):
        assert (get_published_name(name), get_base_name(name)) == (best, "folder:with-colon")
    assert list_possible_ids(checkpoint) == [checkpoint, kept, best]
    assert build_model_id(kept, "local", None, "ftjob-x") == "ft:folder:with-colon:local::ftjob-x"
