"""The benchmark of queries runs, small; what it says of speed is nobody's to test."""

import json

import pytest

from benchmarks import queries


@pytest.mark.real_encoder
def test_one_command_fills_and_measures(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--jobs", "10", "--runs", "2", "--long-steps", "300", "--requests", "2"]
    queries.main([*small, "--sqlite", "--dry"])
    figures = json.loads(capsys.readouterr().out)
    rows, requests = figures["rows"], figures["requests"]
    assert (rows["jobs"], rows["runs"]) == (10, 20)
    each = {"train_loss", "learning_rate", "grad_norm"}
    assert rows["metrics"] > 300 * len(each)
    assert all(told["median_ms"] > 0 and told["statements"] > 0 for told in requests.values())
    assert requests["20 jobs"]["goal_ms"] == queries.PAGE_GOAL_MS
