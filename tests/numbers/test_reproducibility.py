"""A run is a function of its spec: the same spec gives the same weights, to the last bit."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.training.runs import (
    TrainedRun,
    iterate_events,
    make_recipe,
    make_review_rows,
    make_spec,
    write_tsv,
)
from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.tokenization import TextCache
from worker.training.events import RunEvent
from worker.training.model.encoder import load_encoder
from worker.training.run import train_run


def dump_events(events: Iterator[RunEvent]) -> list[dict[str, Any]]:
    return [event.model_dump() for event in events]


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_the_same_spec_twice(family: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    base = request.getfixturevalue(family)
    assert dump_events(iterate_events(make_spec(tmp_path, base))) == dump_events(
        iterate_events(make_spec(tmp_path, base))
    )


def test_another_run_between_and_a_shared_cache_change_nothing(
    tmp_path: Path, tiny_bert: Path, tiny_roberta: Path
) -> None:
    alone = dump_events(iterate_events(make_spec(tmp_path, tiny_bert)))
    cache = TextCache()
    other = make_spec(
        tmp_path / "other", tiny_roberta, rows=40, init_seed=9, recipe=make_recipe(max_steps=3)
    )
    for _ in train_run(other, lambda: False, cache):
        torch.randn(3)  # draws from the global generator
    for _ in train_run(make_spec(tmp_path, tiny_bert, data_seed=7), lambda: False, cache):
        pass
    assert dump_events(train_run(make_spec(tmp_path, tiny_bert), lambda: False, cache)) == alone


def test_interleaved_runs_do_not_affect_each_other(tmp_path: Path, tiny_bert: Path) -> None:
    """Dropout is seeded anew at every step, so runs may even alternate step by step."""
    specs = [make_spec(tmp_path, tiny_bert, init_seed=seed, data_seed=seed) for seed in (1, 2)]
    alone = [dump_events(iterate_events(spec)) for spec in specs]
    again = [make_spec(tmp_path, tiny_bert, init_seed=seed, data_seed=seed) for seed in (1, 2)]
    pairs = list(zip(iterate_events(again[0]), iterate_events(again[1]), strict=True))
    assert [event.model_dump() for event, _ in pairs] == alone[0]
    assert [event.model_dump() for _, event in pairs] == alone[1]


def test_each_seed_changes_the_result(tmp_path: Path, tiny_bert: Path) -> None:
    runs = {
        seeds: TrainedRun(make_spec(tmp_path, tiny_bert, init_seed=seeds[0], data_seed=seeds[1]))
        for seeds in [(1, 1), (1, 2), (2, 1), (2, 2)]
    }
    assert len({run.finished.weights_sha256 for run in runs.values()}) == 4
    assert len({tuple(run.losses) for run in runs.values()}) == 4


def test_the_data_seed_changes_the_order_and_not_the_initial_weights(
    tmp_path: Path, tiny_bert: Path
) -> None:
    assert take_batches(iterate_shuffled_batches(range(20), 8, data_seed=1), 4) == take_batches(
        iterate_shuffled_batches(range(20), 8, data_seed=1), 4
    )
    assert take_batches(iterate_shuffled_batches(range(20), 8, data_seed=1), 1) != take_batches(
        iterate_shuffled_batches(range(20), 8, data_seed=2), 1
    )
    spec, other_order = (
        make_spec(tmp_path, tiny_bert, init_seed=3, data_seed=seed) for seed in (1, 2)
    )
    first, second = (
        load_encoder(spec.base_model, spec.task, spec.init_seed) for spec in (spec, other_order)
    )
    for (name, our), their in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(our, their), name


def take_batches(batches: Iterator[list[int]], count: int) -> list[list[int]]:
    return [next(batches) for _ in range(count)]


def test_every_epoch_has_every_row_once_in_a_new_order() -> None:
    rows = [3, 5, 8, 13, 21, 34, 55]
    epochs = take_batches(iterate_shuffled_batches(rows, 3, data_seed=0), 6)
    assert [len(batch) for batch in epochs] == [3, 3, 1, 3, 3, 1]
    first, second = [*chain(*epochs[:3])], [*chain(*epochs[3:])]
    assert sorted(first) == sorted(second) == rows
    assert first != second


def test_the_order_of_an_epoch_is_stable_over_versions() -> None:
    """Changing this recorded order would change every run's weights."""
    assert take_batches(iterate_shuffled_batches(range(10), 10, data_seed=0), 2) == [
        [1, 6, 0, 8, 7, 9, 5, 3, 2, 4],
        [0, 2, 6, 8, 7, 3, 9, 1, 5, 4],
    ]


def test_the_name_and_folder_of_the_file_do_not_matter(tmp_path: Path, tiny_bert: Path) -> None:
    here = TrainedRun(make_spec(tmp_path, tiny_bert))
    (tmp_path / "elsewhere").mkdir()
    copy = write_tsv(tmp_path / "elsewhere" / "named-otherwise.tsv", make_review_rows(60))
    assert TrainedRun(make_spec(tmp_path, tiny_bert, training_file=copy)).finished == here.finished
