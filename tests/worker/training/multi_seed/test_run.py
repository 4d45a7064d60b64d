"""Grouping of runs: which ones are trained side by side, and which one by one."""

from pathlib import Path

import pytest
import torch

from shared.domain.errors import InvalidValue
from tests.encoders import ENCODERS
from tests.worker.training.multi_seed.stacks import TrainedRuns, make_specs
from tests.worker.training.runs import make_recipe, make_review_rows, never_stop, write_tsv
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.events import Started
from worker.training.multi_seed.compatibility import can_stack
from worker.training.multi_seed.layers import NotStackable
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack


def test_compatible_runs_differ_only_in_seeds_and_folders(tmp_path: Path, tiny_bert: Path) -> None:
    one, other = make_specs(tmp_path, tiny_bert, 2)
    assert can_stack(one, other)
    for change in (
        {"recipe": make_recipe(learning_rate=1e-5)},
        {"fold": 1},
        {"stop_step": 4},
        {"device": "cuda:0"},
        {"state": tmp_path / "state-4"},
        {"export": False},
    ):
        assert not can_stack(one, other.model_copy(update=change))


def test_on_a_cpu_runs_are_trained_one_by_one_by_default(tmp_path: Path, tiny_bert: Path) -> None:
    stacked_runs = TrainedRuns(
        make_specs(tmp_path, tiny_bert, 2, recipe=make_recipe(max_steps=2))
    ).train(stack_size=None)
    assert stacked_runs.order == ["ftrun-1", "ftrun-2"]


@pytest.mark.parametrize("family", ["mpnet", "deberta"])
def test_a_family_that_cannot_be_stacked_is_trained_run_by_run(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / family)
    specs = make_specs(tmp_path, base, 2, recipe=make_recipe(max_steps=2))
    splits = load_splits(specs[0], TextCache(), never_stop)
    with pytest.raises(NotStackable):
        SeedStack([SeedRun(spec, splits) for spec in specs], splits, never_stop)
    stacked_runs = TrainedRuns(specs).train(stack_size=2)
    assert stacked_runs.order == ["ftrun-1", "ftrun-2"]
    assert all(stacked_runs.get_finished(spec.run_id).best_step for spec in specs)


def test_runs_beyond_the_stack_size_follow_later(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 3, recipe=make_recipe(max_steps=2))
    stacked_runs = TrainedRuns(specs).train(stack_size=2)
    assert stacked_runs.order == ["ftrun-1", "ftrun-2", "ftrun-3"]
    assert all(stacked_runs.get_finished(spec.run_id).best_step for spec in specs)


def test_data_that_do_not_fit_fail_every_run(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 2)
    header, *rows = make_review_rows(20)
    wrong = write_tsv(tmp_path / "wrong.tsv", [header, *((text, "maybe") for text, _ in rows)])
    stacked_runs = TrainedRuns(
        [spec.model_copy(update={"training_file": wrong}) for spec in specs]
    ).train(stack_size=2)
    for items in stacked_runs.items.values():
        assert [type(item) for item in items] == [InvalidValue]


def test_one_run_is_trained_as_a_single_run(tmp_path: Path, tiny_bert: Path) -> None:
    [spec] = make_specs(tmp_path, tiny_bert, 1, recipe=make_recipe(max_steps=2))
    stacked_runs = TrainedRuns([spec]).train(stack_size=5)
    assert isinstance(stacked_runs.items[spec.run_id][0], Started)
    assert torch.are_deterministic_algorithms_enabled()
    assert stacked_runs.get_finished(spec.run_id).best_step


def test_incompatible_runs_are_trained_separately(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 3, recipe=make_recipe(max_steps=2))
    specs[1] = specs[1].model_copy(update={"recipe": make_recipe(max_steps=3)})
    stacked_runs = TrainedRuns(specs).train(stack_size=3)
    assert {run_id: len(stacked_runs.list_steps(run_id)) for run_id in stacked_runs.items} == {
        "ftrun-1": 2,
        "ftrun-2": 3,
        "ftrun-3": 2,
    }
