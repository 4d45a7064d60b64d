"""What is recorded of runs that wait for memory, and of machines that have too little."""

from pathlib import Path

import pytest

from shared.db.session import Database
from shared.db.tables import Event
from shared.domain.errors import Reason
from tests.worker.runs.stack_scripts import make_line, make_row_change, monitor_script
from tests.worker.scripted_trainer import (
    ScriptEntry,
    claim_stack,
    make_event_line,
    make_finished_line,
    make_training_lines,
)
from worker.runs.outcomes import Finished, Stopped, StopReason, Unprepared

pytestmark = pytest.mark.usefixtures("flush_at_once")


def list_events(url: str) -> list[str]:
    database = Database(url)
    with database.read() as session:
        messages = [event.message for event in session.query(Event).order_by(Event.seq)]
    database.dispose()
    return messages


def test_a_run_that_waits_for_memory_says_so_once_and_then_trains(url: str, tmp_path: Path) -> None:
    claim_stack(url, 1)
    short = make_event_line("memory_short", needed_bytes=3_140_000_000, free_bytes=950_000_000)
    script: list[ScriptEntry] = [short, None, *make_training_lines(), make_finished_line()]
    outcomes, _ = monitor_script(url, tmp_path, script)
    assert isinstance(outcomes["ftrun-1"], Finished)
    assert [event for event in list_events(url) if "memory" in event] == [
        "Run 0 (seed 0) waits for memory: it needs about 3.1 GB, and 0.9 GB are free while other "
        "runs are in training."
    ]


def test_a_smaller_stack_is_told(url: str, tmp_path: Path) -> None:
    ids = claim_stack(url, 3)
    short = make_event_line(
        "memory_short", needed_bytes=9 * 10**9, free_bytes=6 * 10**9, wanted=3, stacked=2
    )
    script: list[ScriptEntry] = [short, *(make_finished_line(run_id) for run_id in ids)]
    monitor_script(url, tmp_path, script)
    assert (
        "Run 0 (seed 0) is trained with 1 instead of 2 others at a time: together they need about "
        "9.0 GB of memory, and 6.0 GB are free."
    ) in list_events(url)


def test_a_run_that_waits_stops_at_once_when_its_job_pauses(url: str, tmp_path: Path) -> None:
    claim_stack(url, 1)
    script: list[ScriptEntry] = [
        make_event_line("memory_short", needed_bytes=2, free_bytes=1),
        make_row_change(url, "ftrun-1", pause_requested=True),
        None,
        make_line("ftrun-1", stopped=True),
    ]
    outcomes, trainer = monitor_script(url, tmp_path, script)
    assert outcomes == {"ftrun-1": Stopped(StopReason.PAUSED)}
    assert trainer.pause_requests == ["ftrun-1"]
    assert not trainer.killed


def test_too_little_memory_is_the_machines(url: str, tmp_path: Path) -> None:
    claim_stack(url, 1)
    reason = Reason(code="not_enough_memory", message="It needs more.", param=None)
    outcomes, trainer = monitor_script(url, tmp_path, [make_line("ftrun-1", failed=reason)])
    assert outcomes == {"ftrun-1": Unprepared("It needs more.")}
    assert not trainer.killed
