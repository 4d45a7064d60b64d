"""Stopping runs of a stack: cancellation, a run that does not stop, a lost lease."""

from pathlib import Path

import pytest

from tests.worker.runs.stack_scripts import (
    interleave_lines,
    load_runs,
    make_line,
    make_row_change,
    make_silence,
    monitor_script,
)
from tests.worker.scripted_trainer import (
    ScriptEntry,
    claim_stack,
    make_event_line,
    make_finished_line,
    make_training_lines,
)
from worker.runs import monitor
from worker.runs.outcomes import Finished, Stopped, StopReason

pytestmark = pytest.mark.usefixtures("flush_at_once")


def test_cancelling_one_run_does_not_affect_the_others(url: str, tmp_path: Path) -> None:
    ids = claim_stack(url, 3)
    steps = interleave_lines(ids)
    late = make_event_line(
        "step",
        run_id="ftrun-2",
        step=13,
        train_loss=1.0,
        learning_rate=0.1,
        grad_norm=1.0,
        part_grad_norms={},
    )
    script: list[ScriptEntry] = [
        *steps[:9],
        make_row_change(url, "ftrun-2", cancel_requested=True),
        late,
        make_line("ftrun-2", stopped=True),
        *(line for line in steps[9:] if line["run_id"] != "ftrun-2"),
        *(make_finished_line(run_id) for run_id in ids if run_id != "ftrun-2"),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes["ftrun-2"] == Stopped(StopReason.CANCELLED)
    assert [type(outcomes[run_id]) for run_id in ("ftrun-1", "ftrun-3")] == [Finished] * 2
    assert (trainer.stop_requests, trainer.killed) == (["ftrun-2"], False)
    assert [run.step for run in load_runs(url)] == [
        12,
        2,
        12,
    ]  # nothing is stored after the request to stop


def test_a_run_that_finishes_after_the_request_to_stop_is_cancelled(
    url: str, tmp_path: Path
) -> None:
    ids = claim_stack(url, 2)
    script: list[ScriptEntry] = [
        make_row_change(url, "ftrun-1", cancel_requested=True),
        *map(make_finished_line, ids),
    ]
    outcomes, _ = monitor_script(url, tmp_path, script)
    assert outcomes["ftrun-1"] == Stopped(StopReason.CANCELLED)
    assert isinstance(outcomes["ftrun-2"], Finished)


def test_the_trainer_of_a_run_that_does_not_stop_is_killed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "STOP_TIMEOUT_S", 0.0)
    ids = claim_stack(url, 3)
    script: list[ScriptEntry] = [
        *interleave_lines(ids)[:9],
        make_row_change(url, "ftrun-2", cancel_requested=True),
        *make_silence(3),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert trainer.killed
    assert outcomes == {
        "ftrun-1": Stopped(StopReason.TRAINER_KILLED),
        "ftrun-2": Stopped(StopReason.CANCELLED),
        "ftrun-3": Stopped(StopReason.TRAINER_KILLED),
    }


def test_a_lost_run_is_stopped_without_deadline_and_not_recorded(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        monitor, "STOP_TIMEOUT_S", 0.0
    )  # the trainer would be killed if the deadline counted
    ids = claim_stack(url, 2)
    one, other = (make_training_lines(run_id) for run_id in ids)
    script: list[ScriptEntry] = [
        *one[:3],
        *other[:3],
        make_row_change(url, "ftrun-1", fence=7, status="queued", lease_until=None),
        *one[3:6],
        *other[3:],
        make_line("ftrun-1", stopped=True),
        make_finished_line("ftrun-2"),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes["ftrun-1"] == Stopped(StopReason.LEASE_LOST)
    assert isinstance(outcomes["ftrun-2"], Finished)
    assert (trainer.stop_requests, trainer.killed) == (["ftrun-1"], False)
    assert [run.step for run in load_runs(url)] == [2, 12]


def test_the_trainer_of_a_single_lost_run_is_killed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "STOP_TIMEOUT_S", 0.0)
    claim_stack(url, 1)
    script: list[ScriptEntry] = [make_row_change(url, "ftrun-1", fence=7), *make_silence(3)]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == {"ftrun-1": Stopped(StopReason.LEASE_LOST)}
    assert trainer.killed


def test_a_shutdown_stops_all_runs(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = claim_stack(url, 3)
    going = [False]
    monkeypatch.setattr(monitor, "is_shutting_down", lambda: going[0])
    script: list[ScriptEntry] = [
        *interleave_lines(ids)[:9],
        lambda: going.__setitem__(0, True),
        *(make_line(run_id, stopped=True) for run_id in ids),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == dict.fromkeys(ids, Stopped(StopReason.SHUTDOWN))
    assert trainer.stop_requests == ids
