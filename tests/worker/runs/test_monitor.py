"""Recording of a single run from a scripted trainer, on a database that may lose answers."""

from pathlib import Path

import pytest
from sqlalchemy import update

from shared.db.metrics import Metrics
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Event, Run
from tests.worker.script import (
    STEPS,
    ForgetfulDatabase,
    ScriptedTrainer,
    ScriptEntry,
    claim_runs,
    make_finished_line,
    make_line,
    make_training_lines,
    monitor_runs,
)
from worker.runs import monitor
from worker.runs.outcomes import Died, Failed, Finished, Outcome, Paused, Stopped, StopReason
from worker.trainer.process import TrainerDied


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    apply_migrations(url)
    return url


def record(
    url: str, folder: Path, script: list[ScriptEntry], database: Database
) -> tuple[Outcome, Run, int]:
    """Monitor a scripted run; return its outcome, its row and its number of metrics events."""
    [run_id] = claim_runs(url, 1)
    [(ended, outcome)] = monitor_runs(url, folder, ScriptedTrainer(script), database)
    assert ended == run_id
    plain = Database(url)
    with plain.read() as session:
        row = session.get_one(Run, run_id)
        events = session.query(Event).where(Event.type == "metrics").count()
    for opened in (plain, database):
        opened.dispose()
    return outcome, row, events


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
def test_each_point_is_stored_once_even_if_commits_lose_their_answer(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Database]
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)  # a transaction for every message
    monkeypatch.setattr("worker.db_retry.RETRY_INTERVAL_S", 0.0)
    outcome, run, events = record(
        url, tmp_path, [*make_training_lines(), make_finished_line()], kind(url)
    )
    assert isinstance(outcome, Finished)
    assert (run.step, run.train_loss, run.validation_score, run.best_step, run.device) == (
        12,
        1 / 12,
        1.0,
        12,
        "cpu",
    )
    database = Database(url)
    with database.read() as session:
        points = Metrics(session).list_points("ftrun-1")
    database.dispose()
    assert [point.step for point in points if point.name == "train_loss"] == list(
        range(1, STEPS + 1)
    )
    assert [point.step for point in points if point.name == "valid_loss"] == [4, 8, 12]
    assert not [
        point for point in points if point.name == "valid_mcc"
    ]  # an undefined value is not stored
    by_part = {
        (point.name, point.step): point.value
        for point in points
        if point.name.endswith(("block_0", "head"))
    }
    assert by_part == {
        ("grad_norm_block_0", 1): 0.5,
        ("grad_norm_block_0", 4): 0.5,
        ("grad_norm_head", 1): 1.0,
        ("grad_norm_head", 4): 0.25,
        ("distance_block_0", 12): 0.01,
        ("distance_head", 12): 0.5,
    }
    assert events == 3


def test_a_death_of_the_trainer_keeps_the_step_and_the_points(url: str, tmp_path: Path) -> None:
    script: list[ScriptEntry] = [*make_training_lines()[:7], None, TrainerDied("It was killed.")]
    outcome, run, _ = record(url, tmp_path, script, Database(url))
    assert outcome == Died(5, "It was killed.")
    assert run.step == 5


def test_a_failure_keeps_the_trainers_reason(url: str, tmp_path: Path) -> None:
    reason = {"code": "nan_loss", "message": "The loss is not a number.", "param": None}
    foreign = {"run_id": "ftrun-0", "stopped": True}  # a message of an earlier run
    outcome, run, _ = record(
        url,
        tmp_path,
        [foreign, *make_training_lines()[:3], {"run_id": "ftrun-1", "failed": reason}],
        Database(url),
    )
    assert isinstance(outcome, Failed)
    assert outcome.reason["code"] == "nan_loss"
    assert run.step == 2


def set_flags(url: str, **flags: bool) -> None:
    database = Database(url)
    with database.write() as session:
        session.execute(update(Run).values(**flags))
    database.dispose()


def test_a_run_of_a_paused_job_stops_with_a_resume_state(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    waits = make_line("paused", step=5, score=0.5, degenerate=False, trained_tokens=9)
    lines = make_training_lines()
    script: list[ScriptEntry] = [
        *lines[:4],
        lambda: set_flags(url, pause_requested=True),
        None,
        *lines[4:7],
        waits,
    ]
    [run_id] = claim_runs(url, 1)
    trainer = ScriptedTrainer(script)
    [(_, outcome)] = monitor_runs(url, tmp_path, trainer)
    assert isinstance(outcome, Paused)
    assert outcome.result.model_dump() == waits["event"]
    assert (trainer.pause_requests, trainer.stop_requests) == ([run_id], [])
    database = Database(url)
    with database.read() as session:
        assert session.get_one(Run, run_id).step == 5  # steps before the pause are recorded
    database.dispose()


def test_a_cancellation_does_not_wait_for_the_pause(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    pause, cancel = (
        (lambda: set_flags(url, pause_requested=True)),
        (lambda: set_flags(url, cancel_requested=True)),
    )
    script: list[ScriptEntry] = [
        *make_training_lines()[:4],
        pause,
        None,
        cancel,
        None,
        {"run_id": "ftrun-1", "stopped": True},
    ]
    [run_id] = claim_runs(url, 1)
    trainer = ScriptedTrainer(script)
    [(_, outcome)] = monitor_runs(url, tmp_path, trainer)
    assert outcome == Stopped(StopReason.CANCELLED)
    assert (trainer.pause_requests, trainer.stop_requests) == ([run_id], [run_id])


def test_a_pause_stops_the_runs_of_a_stack(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    ids = claim_runs(url, 2)
    stopped: list[ScriptEntry] = [{"run_id": run_id, "stopped": True} for run_id in ids]
    trainer = ScriptedTrainer(
        [
            *make_training_lines(ids[0])[:3],
            lambda: set_flags(url, pause_requested=True),
            None,
            *stopped,
        ]
    )
    assert [outcome for _, outcome in monitor_runs(url, tmp_path, trainer)] == [
        Stopped(StopReason.PAUSED)
    ] * 2
    assert (trainer.pause_requests, sorted(trainer.stop_requests)) == ([], ids)
