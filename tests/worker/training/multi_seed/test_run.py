"""Which runs go side by side, and how many."""

from pathlib import Path

import pytest
import torch

from shared.domain.errors import InvalidValue
from tests.encoders import ENCODERS
from tests.worker.training.multi_seed.stacks import Together, make_specs
from tests.worker.training.runs import make_recipe, make_review_rows, never_stop, write_tsv
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.events import Started
from worker.training.multi_seed.compatibility import can_stack
from worker.training.multi_seed.layers import NotStackable
from worker.training.multi_seed.memory import (
    choose_stack_size,
    estimate_seed_bytes,
    list_longest_rows,
    measure_activation_bytes,
)
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack

GB = 10**9


def test_alike_is_all_but_seeds_and_folders(tmp_path: Path, tiny_bert: Path) -> None:
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


def test_on_a_cpu_runs_go_one_after_another_unless_told_otherwise(
    tmp_path: Path, tiny_bert: Path
) -> None:
    together = Together(make_specs(tmp_path, tiny_bert, 2, recipe=make_recipe(max_steps=2))).train(
        width=None
    )
    assert together.order == ["ftrun-1", "ftrun-2"]


@pytest.mark.parametrize(
    ("free", "count", "width"),
    [
        (100 * GB, 20, 20),
        (10 * GB, 20, 7),
        (9 * GB, 20, 7),
        (2 * GB, 20, 1),
        (GB // 2, 3, 1),
        (7 * GB, 6, 6),
    ],
)
def test_turns_are_even(free: int, count: int, width: int) -> None:
    assert choose_stack_size(free, GB, count) == width


def stack_of(folder: Path, base: Path, count: int, **changes: object) -> SeedStack:
    specs = make_specs(folder, base, count, recipe=make_recipe(**changes))
    splits = load_splits(specs[0], TextCache(), never_stop)
    return SeedStack([SeedRun(spec, splits) for spec in specs], splits)


def test_what_a_seed_needs_is_counted(tmp_path: Path, tiny_bert: Path) -> None:
    one, three = (stack_of(tmp_path, tiny_bert, count) for count in (1, 3))
    rows = list_longest_rows(one.splits.train, 8)
    assert measure_activation_bytes(three, rows) == pytest.approx(
        3 * measure_activation_bytes(one, rows), rel=0.02
    )
    half = measure_activation_bytes(one, rows[:4])
    assert half < 0.7 * measure_activation_bytes(one, rows)
    weights = sum(parameter.nbytes for parameter in one.network.parameters())
    # weights, two moments, gradients, best checkpoint
    assert estimate_seed_bytes(one) == pytest.approx(
        5 * weights + 1.25 * measure_activation_bytes(one, rows), rel=0.01
    )
    last = stack_of(tmp_path, tiny_bert, 1, select="last")
    assert estimate_seed_bytes(one) - estimate_seed_bytes(last) == pytest.approx(weights, rel=0.1)


def test_what_the_recipe_adds_is_counted(tmp_path: Path, tiny_bert: Path) -> None:
    plain = estimate_seed_bytes(stack_of(tmp_path, tiny_bert, 1))
    for changes in ({"mixout": 0.1}, {"pretrained_weight_decay": 0.1}):
        stack = stack_of(tmp_path, tiny_bert, 1, **changes)
        assert estimate_seed_bytes(stack) > plain


@pytest.mark.parametrize("family", ["mpnet", "deberta"])
def test_a_family_that_cannot_be_stacked_is_trained_run_by_run(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / family)
    specs = make_specs(tmp_path, base, 2, recipe=make_recipe(max_steps=2))
    splits = load_splits(specs[0], TextCache(), never_stop)
    with pytest.raises(NotStackable):
        SeedStack([SeedRun(spec, splits) for spec in specs], splits)
    together = Together(specs).train(width=2)
    assert together.order == ["ftrun-1", "ftrun-2"]
    assert all(together.finished(spec.run_id).best_step for spec in specs)


def test_more_runs_than_go_side_by_side_take_turns(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 3, recipe=make_recipe(max_steps=2))
    together = Together(specs).train(width=2)
    assert together.order == ["ftrun-1", "ftrun-2", "ftrun-3"]
    assert all(together.finished(spec.run_id).best_step for spec in specs)


def test_data_that_do_not_fit_are_each_runs_failure(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 2)
    header, *rows = make_review_rows(20)
    wrong = write_tsv(tmp_path / "wrong.tsv", [header, *((text, "maybe") for text, _ in rows)])
    together = Together([spec.model_copy(update={"training_file": wrong}) for spec in specs]).train(
        width=2
    )
    for told in together.told.values():
        assert [type(item) for item in told] == [InvalidValue]


def test_runs_that_are_alone_are_single_runs(tmp_path: Path, tiny_bert: Path) -> None:
    [spec] = make_specs(tmp_path, tiny_bert, 1, recipe=make_recipe(max_steps=2))
    together = Together([spec]).train(width=5)
    assert isinstance(together.told[spec.run_id][0], Started)
    assert torch.are_deterministic_algorithms_enabled()
    assert together.finished(spec.run_id).best_step


def test_runs_that_are_not_alike_are_not_mixed_up(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 3, recipe=make_recipe(max_steps=2))
    specs[1] = specs[1].model_copy(update={"recipe": make_recipe(max_steps=3)})
    together = Together(specs).train(width=3)
    assert {run_id: len(together.steps(run_id)) for run_id in together.told} == {
        "ftrun-1": 2,
        "ftrun-2": 3,
        "ftrun-3": 2,
    }
