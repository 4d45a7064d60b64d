"""The learning-rate schedule equals that of transformers; evaluation steps are evenly spaced."""

import math
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainingArguments, get_linear_schedule_with_warmup

from shared.recipe.schedule import create_linear_schedule, list_evaluation_steps


@pytest.mark.parametrize("total", [1, 2, 7, 96, 234, 1600])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.06, 0.1, 0.333, 1.0])
def test_rates_are_those_of_transformers_linear_schedule(total: int, warmup_ratio: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-5)
    expected = get_linear_schedule_with_warmup(optimizer, math.ceil(total * warmup_ratio), total)
    schedule = create_linear_schedule(2e-5, warmup_ratio, total)
    for step in range(1, total + 1):
        assert schedule.compute_rate(step) == pytest.approx(
            expected.get_last_lr()[0], rel=1e-12, abs=0
        )
        optimizer.step()
        expected.step()


@pytest.mark.parametrize("total", [10, 30, 95, 96, 101, 234])
def test_warmup_steps_are_rounded_as_trainer_does(total: int) -> None:
    # the real class needs accelerate, its rounding does not
    arguments = SimpleNamespace(warmup_steps=0.1)
    expected = TrainingArguments.get_warmup_steps(arguments, total)  # type: ignore[arg-type]
    assert create_linear_schedule(1.0, 0.1, total).warmup_steps == expected


@pytest.mark.parametrize("total", [1, 2, 3, 30])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.1, 1.0])
def test_only_a_single_step_of_warmup_never_has_a_rate(total: int, warmup_ratio: float) -> None:
    schedule = create_linear_schedule(1.0, warmup_ratio, total)
    assert schedule.is_always_zero() == (total == 1 and warmup_ratio > 0)


def test_the_rate_starts_at_zero_peaks_after_the_warmup_and_ends_just_above_zero() -> None:
    schedule = create_linear_schedule(1.0, 0.1, 100)
    assert schedule.compute_rate(1) == 0.0
    assert (
        schedule.compute_rate(11)
        == 1.0
        == max(schedule.compute_rate(step) for step in range(1, 101))
    )
    assert schedule.compute_rate(100) == pytest.approx(1 / 90)


@pytest.mark.parametrize(
    ("total", "points", "expected"),
    [
        (100, 10, list(range(10, 101, 10))),
        (96, 10, [10, 20, 29, 39, 48, 58, 68, 77, 87, 96]),
        (3, 10, [1, 2, 3]),
        (7, 1, [7]),
    ],
)
def test_evaluation_i_of_k_falls_on_step_ceil_i_t_over_k(
    total: int, points: int, expected: list[int]
) -> None:
    assert list_evaluation_steps(total, points) == expected
