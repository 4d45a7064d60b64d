"""A job whose storage is away when its runs end is published once the storage is back."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import update

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Event, Job, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_artifacts_prefix
from tests.worker.simulated_trainer import (
    ModelTrainer,
    add_trainable_job,
    load_outcome,
    train_queued_runs,
)
from worker import slot
from worker.context import WorkerContext
from worker.jobs import retries
from worker.jobs.advance import advance_job
from worker.runs import finalizer
from worker.trainer.process import Trainer

AWAY = "The folder of the storage, storage, is not there."


@pytest.fixture
def context(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerContext]:
    # needs more fields than these rows have
    monkeypatch.setattr("worker.jobs.publish.render_model_card", lambda *_: "")
    monkeypatch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
    monkeypatch.setattr(finalizer, "STORAGE_RETRY_DELAYS_S", ())
    settings = Settings(home=tmp_path, model_dirs=str(model_dir))
    apply_migrations(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    storage = Storage(settings.resolved_storage_url)
    yield WorkerContext(settings, database, storage, Trainer(settings))
    database.dispose()


@pytest.fixture
def storage_folder(context: WorkerContext) -> Path:
    return Path(context.settings.resolved_storage_url.removeprefix("file://"))


def train_without_advancing(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Train a job of three runs to their ends, and leave the job to be advanced."""
    with monkeypatch.context() as patched:
        patched.setattr(slot, "_advance_jobs", lambda *_: None)
        job = add_trainable_job(context, 3)
        train_queued_runs(context, ModelTrainer())
    return job


def end_delay(context: WorkerContext, job: Job) -> float:
    """Let the delay of the next attempt be over; return how long it would have been."""
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        assert row.lease_until is not None
        delay = row.lease_until - max(run.finished_at or 0 for run in load_outcome(context, job)[1])
        session.execute(update(Job).where(Job.id == job.id).values(lease_until=1.0))
    return delay


def test_a_storage_that_is_away_postpones_the_end_until_it_is_back(
    context: WorkerContext, storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_without_advancing(context, monkeypatch)
    away = storage_folder.rename(storage_folder.with_name("away"))
    for _ in range(2 * retries.MAX_ADVANCE_ATTEMPTS + 1):
        advance_job(context, job.id)
        assert load_outcome(context, job)[0] == "running"
        assert end_delay(context, job) >= retries.MIN_DELAY_S
    assert not storage_folder.exists()  # nothing was written in its place
    away.rename(storage_folder)
    advance_job(context, job.id)
    status, runs, events = load_outcome(context, job)
    assert status == "succeeded"
    assert any(run.fine_tuned_model for run in runs)
    told = [event for event in events if event.startswith(retries.POSTPONED_MESSAGE)]
    assert told == [f"{retries.POSTPONED_MESSAGE}: {AWAY} It is tried again until it can be."]


def test_runs_wait_for_a_full_disk_without_failing(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def refuse(*_: object) -> NoReturn:
        nonlocal attempts
        attempts += 1
        if attempts == 12:  # far more than the attempts that a run has
            monkeypatch.undo()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(context.storage.__class__, "link_or_put_folder", refuse)
    monkeypatch.setattr("worker.jobs.publish.render_model_card", lambda *_: "")
    monkeypatch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
    job = add_trainable_job(context, 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("worker.jobs.publish.render_model_card", lambda *_: "")
        patched.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
        patched.setattr(finalizer, "STORAGE_RETRY_DELAYS_S", ())
        train_queued_runs(context, ModelTrainer())
    status, [run], events = load_outcome(context, job)
    assert (status, run.status, run.attempt, run.deaths) == ("succeeded", "succeeded", 13, 0)
    assert sum("the worker's disk is full" in event for event in events) == 1


def test_what_the_storage_has_lost_is_named_and_the_rest_published(
    context: WorkerContext, storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_without_advancing(context, monkeypatch)
    best = load_outcome(context, job)[1][2]  # scores rise with the index
    shutil.rmtree(storage_folder / build_artifacts_prefix(best.id))
    advance_job(context, job.id)
    status, runs, _ = load_outcome(context, job)
    assert status == "succeeded"
    assert [bool(run.fine_tuned_model) for run in runs] == [False, True, False]
    with context.database.read() as session:
        warnings = {found.code: found.message for found in session.get_one(Job, job.id).warnings}
    assert "the models of these runs: 2." in warnings["artifacts_missing"]


def test_a_job_that_lost_everything_says_which_runs_to_train_again(
    context: WorkerContext, storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_without_advancing(context, monkeypatch)
    shutil.rmtree(storage_folder / "runs")
    for _ in range(retries.MAX_ADVANCE_ATTEMPTS):
        advance_job(context, job.id)
    with context.database.read() as session:
        row = session.get_one(Job, job.id)
    assert (row.status, row.error and row.error.code) == ("failed", "artifacts_missing")
    assert row.error is not None
    assert "runs 0, 1 and 2, which must be trained again" in row.error.message


def test_a_cache_that_cannot_be_written_postpones_the_end_and_then_fails_the_job(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_without_advancing(context, monkeypatch)
    cache = context.settings.resolved_cache_dir
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("in the way")
    for _ in range(2 * retries.MAX_ADVANCE_ATTEMPTS):  # more than a job has
        advance_job(context, job.id)
        assert load_outcome(context, job)[0] == "running"
        end_delay(context, job)
    [told] = [
        event for event in load_outcome(context, job)[2] if retries.POSTPONED_MESSAGE in event
    ]
    assert told.endswith("see the worker's log. It is tried again for 60 minutes.")
    with context.database.write() as session:
        session.execute(update(Run).values(finished_at=Run.finished_at - 7200))
        session.execute(
            update(Event)
            .where(Event.message == told)
            .values(created_at=Event.created_at - retries.LOCAL_FAILURE_LIMIT_S)
        )
    advance_job(context, job.id)
    with context.database.read() as session:
        error = session.get_one(Job, job.id).error
    assert error is not None
    assert error.code == "publish_failed"
    assert "not be completed within 60 minutes: the worker's machine failed" in error.message


def test_a_cache_that_can_be_written_again_ends_the_delay(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train_without_advancing(context, monkeypatch)
    cache = context.settings.resolved_cache_dir
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("in the way")
    advance_job(context, job.id)
    end_delay(context, job)
    cache.unlink()
    advance_job(context, job.id)
    assert load_outcome(context, job)[0] == "succeeded"
