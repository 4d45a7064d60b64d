"""Loss curves equal the recorded ones, so a refactoring changes no result."""

import json
from pathlib import Path

import pytest

from tests.numbers.record import NAMES, RECORDED, train_curve


@pytest.mark.parametrize("name", NAMES)
def test_the_curve_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))[name]
    curve = train_curve(name, tmp_path)
    for series, values in recorded.items():
        assert curve[series] == pytest.approx(values, rel=1e-5), series


def test_no_two_curves_are_equal() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert sorted(recorded) == sorted(NAMES)
    assert len({tuple(series["train_loss"]) for series in recorded.values()}) == len(NAMES)
