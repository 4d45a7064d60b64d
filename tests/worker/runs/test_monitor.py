"""Recording of a single run from a scripted trainer, on a database that may lose answers."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Event, Job, Run
from shared.domain.job_facts import JobWarning
from shared.domain.states import RunState
from tests.worker.scripted_trainer import (
    STEPS,
    ForgetfulDatabase,
    ScriptedTrainer,
    ScriptEntry,
    claim_stack,
    make_event_line,
    make_finished_line,
    make_training_lines,
    monitor_claimed_runs,
)
from worker.runs import monitor
from worker.runs.outcomes import Died, Failed, Finished, Outcome, Paused, Stopped, StopReason
from worker.trainer.process import TrainerDied


def record(
    url: str, folder: Path, script: list[ScriptEntry], database: Database
) -> tuple[Outcome, Run, int]:
    """Monitor a scripted run; return its outcome, its row and its number of metrics events."""
    [run_id] = claim_stack(url, 1)
    [(ended, outcome)] = monitor_claimed_runs(url, folder, ScriptedTrainer(script), database)
    assert ended == run_id
    plain = Database(url)
    with plain.read() as session:
        row = session.get_one(Run, run_id)
        events = session.query(Event).where(Event.type == "metrics").count()
    for opened in (plain, database):
        opened.dispose()
    return outcome, row, events


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
@pytest.mark.parametrize("score", [0.75, None])
def test_the_fit_of_a_head_is_stored_once_and_again_when_the_run_starts_over(
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Database],
    score: float | None,
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    monkeypatch.setattr("worker.db_retry.RETRY_INTERVAL_S", 0.0)
    started, *steps = make_training_lines()
    fit = {"rows": 1234, "loss": 0.25, "score": score, "penalty": 0.01}
    record(
        url,
        tmp_path,
        [started, make_event_line("head_fitted", fit=fit), *steps, make_finished_line()],
        kind(url),
    )
    database = Database(url)
    with database.write() as session:
        points = Metrics(session).list_points("ftrun-1", step_to=0)
        messages = [
            event.message for event in session.query(Event) if "head was fitted" in event.message
        ]
        session.execute(update(Run).values(status=RunState.QUEUED))
        # a run without a state starts over, and leaves no point of its first attempt
        assert Runs(session).claim_run("ftrun-1", None, "another worker", 60.0) is not None
        remaining = Metrics(session).list_points("ftrun-1")
    database.dispose()
    values = {point.name: point.value for point in points}
    assert values == {"head_fit_loss": 0.25} | (
        {} if score is None else {"head_fit_accuracy": score}
    )
    [message] = messages
    assert "1,234 training rows: training loss=0.2500, training accuracy=" in message
    assert message.endswith("undefined" if score is None else "0.7500")
    assert remaining == []


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
    assert outcome.reason.code == "nan_loss"
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
    waits = make_event_line("paused", step=5, score=0.5, degenerate=False, trained_tokens=9)
    lines = make_training_lines()
    script: list[ScriptEntry] = [
        *lines[:4],
        lambda: set_flags(url, pause_requested=True),
        None,
        *lines[4:7],
        waits,
    ]
    [run_id] = claim_stack(url, 1)
    trainer = ScriptedTrainer(script)
    [(_, outcome)] = monitor_claimed_runs(url, tmp_path, trainer)
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
    [run_id] = claim_stack(url, 1)
    trainer = ScriptedTrainer(script)
    [(_, outcome)] = monitor_claimed_runs(url, tmp_path, trainer)
    assert outcome == Stopped(StopReason.CANCELLED)
    assert (trainer.pause_requests, trainer.stop_requests) == ([run_id], [run_id])


def test_a_pause_stops_the_runs_of_a_stack(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    ids = claim_stack(url, 2)
    stopped: list[ScriptEntry] = [{"run_id": run_id, "stopped": True} for run_id in ids]
    trainer = ScriptedTrainer(
        [
            *make_training_lines(ids[0])[:3],
            lambda: set_flags(url, pause_requested=True),
            None,
            *stopped,
        ]
    )
    assert [outcome for _, outcome in monitor_claimed_runs(url, tmp_path, trainer)] == [
        Stopped(StopReason.PAUSED)
    ] * 2
    assert (trainer.pause_requests, sorted(trainer.stop_requests)) == ([], ids)


@pytest.mark.parametrize("is_planned", [False, True])
def test_cut_texts_are_a_warning_once(url: str, tmp_path: Path, is_planned: bool) -> None:
    claim_stack(url, 1)
    planned = JobWarning(code="truncated_texts", message="Counted before training.")
    database = Database(url)
    if is_planned:
        with database.write() as session:
            session.execute(update(Job).values(warnings=[planned]))
    script = [*make_training_lines(), make_finished_line()]
    assert list(monitor_claimed_runs(url, tmp_path, ScriptedTrainer(script)))
    with database.read() as session:
        [warnings] = session.scalars(select(Job.warnings))
    database.dispose()
    counted = "2 of 9 training texts are longer than 8 tokens and were truncated."
    message = planned.message if is_planned else counted
    assert warnings == [JobWarning(code="truncated_texts", message=message)]
