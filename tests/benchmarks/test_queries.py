"""The benchmark of queries runs on a small database; its times are not checked."""

import json

import pytest

from benchmarks import queries
from benchmarks.request_kinds import PAGE_GOAL_MS


@pytest.mark.real_encoder
def test_one_command_fills_the_database_and_measures(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--jobs", "10", "--runs", "2", "--long-steps", "300", "--requests", "2"]
    queries.main([*small, "--sqlite", "--dry"])
    figures = json.loads(capsys.readouterr().out)
    rows, requests = figures["rows"], figures["requests"]
    assert (rows["jobs"], rows["runs"]) == (10, 20)
    names = {"train_loss", "learning_rate", "grad_norm"}
    assert rows["metrics"] > 300 * len(names)
    assert all(
        summary["median_ms"] > 0 and summary["statements"] > 0 for summary in requests.values()
    )
    assert requests["20 jobs"]["goal_ms"] == PAGE_GOAL_MS
