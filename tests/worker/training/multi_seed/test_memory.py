"""Memory of a seed, and the size of a stack that fits."""

from pathlib import Path

import pytest

from tests.worker.training.multi_seed.stacks import make_specs
from tests.worker.training.runs import make_recipe, never_stop
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.multi_seed.memory import (
    choose_stack_size,
    estimate_seed_bytes,
    list_longest_rows,
    measure_activation_bytes,
)
from worker.training.multi_seed.seed import SeedRun
from worker.training.multi_seed.stack import SeedStack

GB = 10**9


@pytest.mark.parametrize(
    ("free_bytes", "count", "stack_size"),
    [
        (100 * GB, 20, 20),
        (10 * GB, 20, 7),
        (9 * GB, 20, 7),
        (2 * GB, 20, 1),
        (GB // 2, 3, 1),
        (7 * GB, 6, 6),
    ],
)
def test_stacks_have_about_the_same_size(free_bytes: int, count: int, stack_size: int) -> None:
    assert choose_stack_size(free_bytes, GB, count) == stack_size


def build_stack(folder: Path, base: Path, count: int, **changes: object) -> SeedStack:
    specs = make_specs(folder, base, count, recipe=make_recipe(**changes))
    splits = load_splits(specs[0], TextCache(), never_stop)
    return SeedStack([SeedRun(spec, splits) for spec in specs], splits, never_stop)


def test_the_memory_of_a_seed_is_estimated(tmp_path: Path, tiny_bert: Path) -> None:
    one, three = (build_stack(tmp_path, tiny_bert, count) for count in (1, 3))
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
    last = build_stack(tmp_path, tiny_bert, 1, select="last")
    assert estimate_seed_bytes(one) - estimate_seed_bytes(last) == pytest.approx(weights, rel=0.1)


def test_memory_of_mixout_and_decay_is_included(tmp_path: Path, tiny_bert: Path) -> None:
    plain = estimate_seed_bytes(build_stack(tmp_path, tiny_bert, 1))
    for changes in ({"mixout": 0.1}, {"pretrained_weight_decay": 0.1}):
        stack = build_stack(tmp_path, tiny_bert, 1, **changes)
        assert estimate_seed_bytes(stack) > plain
