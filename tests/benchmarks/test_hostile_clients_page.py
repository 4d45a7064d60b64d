"""The page of hostile clients says what was missed, and why."""

from pathlib import Path

import pytest

from benchmarks.hostile.bystander import JOBS, Latency
from benchmarks.hostile.memory import Memory
from benchmarks.hostile_clients_page import GOAL_MS, Measured, is_met, write_page


def make_measured(**changes: object) -> Measured:
    latency = Latency(requests=100, p50_ms=3.0, p99_ms=20.0, max_ms=30.0, failed=0)
    measured = Measured(
        name="500 sockets",
        wanted="closed",
        outcome="500 closed",
        outcome_met=True,
        seconds=12.5,
        waited_share=0.25,
        latencies={"/health": latency, JOBS: latency},
        memory=Memory(before_mb=100.0, peak_mb=107.0, after_mb=104.0, readers_peak_mb=80.0),
        memory_limit_mb=8,
        reader_limit_mb=256,
    )
    measured.update(changes)  # type: ignore[typeddict-item]
    return measured


SLOW = Latency(requests=100, p50_ms=3.0, p99_ms=GOAL_MS + 1, max_ms=900.0, failed=0)
FAILED = Latency(requests=100, p50_ms=3.0, p99_ms=20.0, max_ms=60_000.0, failed=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome_met": False},
        {"memory_limit_mb": 6.5},
        {"reader_limit_mb": 79},
        {"latencies": {"/health": SLOW, JOBS: SLOW}},
        {"latencies": {"/health": FAILED, JOBS: FAILED}},
    ],
)
def test_each_goal_is_one(changes: dict[str, object]) -> None:
    assert is_met(make_measured())
    assert not is_met(make_measured(**changes))


def test_the_page_has_a_row_per_attack(tmp_path: Path) -> None:
    rows = [make_measured(), make_measured(name="slow", latencies={"/health": SLOW, JOBS: FAILED})]
    write_page("python -m benchmarks.hostile_clients", rows, note="It was busy.", results=tmp_path)
    page = (tmp_path / "hostile_clients.md").read_text(encoding="utf-8")
    assert "1 of 2 rows meet their goal." in page
    assert "| 500 sockets | closed | 500 closed | 12.5 | 25% | 3 / 20 / 30 | 20 |" in page
    assert "1 requests of others failed" in page
    assert "It was busy." in page
    assert (tmp_path / "hostile_clients.json").exists()
