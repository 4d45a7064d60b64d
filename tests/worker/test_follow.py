"""What a trainer says is recorded once, whatever the database's answers do; a scripted trainer
speaks, the database is real.
"""

from pathlib import Path

import pytest
from sqlalchemy import update

from shared.db.metrics import Metrics
from shared.db.migrate import upgrade
from shared.db.session import Database
from shared.db.tables import Event, Run
from tests.worker.script import (
    STEPS,
    ForgetfulDatabase,
    Said,
    ScriptedTrainer,
    claimed_runs,
    finished,
    followed,
    say,
    training,
)
from worker.runs import monitor
from worker.runs.outcomes import Died, Failed, Finished, Outcome, Paused, Stopped, StopReason
from worker.trainer.process import TrainerDied


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    return url


def record(
    url: str, folder: Path, script: list[Said], database: Database
) -> tuple[Outcome, Run, int]:
    """Follow a scripted training of one run; the outcome, the run's row, the number of metrics
    events.
    """
    [run_id] = claimed_runs(url, 1)
    [(ended, outcome)] = followed(url, folder, ScriptedTrainer(script), database)
    assert ended == run_id
    plain = Database(url)
    with plain.read() as session:
        row = session.get_one(Run, run_id)
        events = session.query(Event).where(Event.type == "metrics").count()
    for opened in (plain, database):
        opened.dispose()
    return outcome, row, events


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
def test_every_point_once_even_if_answers_get_lost(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Database]
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)  # a transaction for every line
    monkeypatch.setattr("worker.db_retry.RETRY_INTERVAL_S", 0.0)
    outcome, run, events = record(url, tmp_path, [*training(), finished()], kind(url))
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
        points = Metrics(session).of_run("ftrun-1")
    database.dispose()
    assert [point.step for point in points if point.name == "train_loss"] == list(
        range(1, STEPS + 1)
    )
    assert [point.step for point in points if point.name == "valid_loss"] == [4, 8, 12]
    assert not [point for point in points if point.name == "valid_mcc"]  # undefined is no point
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


def test_a_death_is_told_with_the_step_reached_and_nothing_is_lost(
    url: str, tmp_path: Path
) -> None:
    script: list[Said] = [*training()[:7], None, TrainerDied("It was killed.")]
    outcome, run, _ = record(url, tmp_path, script, Database(url))
    assert outcome == Died(5, "It was killed.")
    assert run.step == 5


def test_a_failure_is_told_in_the_trainers_words(url: str, tmp_path: Path) -> None:
    reason = {"code": "nan_loss", "message": "The loss is not a number.", "param": None}
    foreign = {"run_id": "ftrun-0", "stopped": True}  # the tail of a run before
    outcome, run, _ = record(
        url,
        tmp_path,
        [foreign, *training()[:3], {"run_id": "ftrun-1", "failed": reason}],
        Database(url),
    )
    assert isinstance(outcome, Failed)
    assert outcome.reason["code"] == "nan_loss"
    assert run.step == 2


def wish(url: str, **flags: bool) -> None:
    database = Database(url)
    with database.write() as session:
        session.execute(update(Run).values(**flags))
    database.dispose()


def test_a_paused_job_s_run_comes_to_a_step_it_can_go_on_from(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    waits = say("paused", step=5, score=0.5, degenerate=False, trained_tokens=9)
    lines = training()
    script: list[Said] = [
        *lines[:4],
        lambda: wish(url, pause_requested=True),
        None,
        *lines[4:7],
        waits,
    ]
    [run_id] = claimed_runs(url, 1)
    trainer = ScriptedTrainer(script)
    [(_, outcome)] = followed(url, tmp_path, trainer)
    assert outcome == Paused(waits["event"])
    assert (trainer.waits, trainer.asked) == ([run_id], [])
    database = Database(url)
    with database.read() as session:
        assert session.get_one(Run, run_id).step == 5  # what it did on its way counts
    database.dispose()


def test_who_cancels_does_not_wait_for_the_pause(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    pause, cancel = (
        (lambda: wish(url, pause_requested=True)),
        (lambda: wish(url, cancel_requested=True)),
    )
    script: list[Said] = [
        *training()[:4],
        pause,
        None,
        cancel,
        None,
        {"run_id": "ftrun-1", "stopped": True},
    ]
    [run_id] = claimed_runs(url, 1)
    trainer = ScriptedTrainer(script)
    [(_, outcome)] = followed(url, tmp_path, trainer)
    assert outcome == Stopped(StopReason.CANCELLED)
    assert (trainer.waits, trainer.asked) == ([run_id], [run_id])


def test_runs_side_by_side_are_stopped_by_a_pause(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    ids = claimed_runs(url, 2)
    stopped: list[Said] = [{"run_id": run_id, "stopped": True} for run_id in ids]
    trainer = ScriptedTrainer(
        [*training(ids[0])[:3], lambda: wish(url, pause_requested=True), None, *stopped]
    )
    assert [outcome for _, outcome in followed(url, tmp_path, trainer)] == [
        Stopped(StopReason.PAUSED)
    ] * 2
    assert (trainer.waits, sorted(trainer.asked)) == ([], ids)
