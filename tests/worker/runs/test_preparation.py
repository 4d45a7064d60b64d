"""Runs that a machine cannot start are requeued, and fail after repeated attempts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Event, File, Job, Run
from shared.encoders.model_digest import compute_model_digest
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.rows import add_job
from worker import slot
from worker.context import WorkerContext
from worker.trainer.process import Trainer


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerContext]:
    monkeypatch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
    settings = Settings(home=tmp_path)
    apply_migrations(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()


def with_models(context: WorkerContext, model_dir: Path) -> WorkerContext:
    settings = context.settings.model_copy(update={"model_dirs": str(model_dir)})
    return WorkerContext(settings, context.database, context.storage, context.trainer)


def load_outcome(context: WorkerContext, job: Job) -> tuple[Job, list[Run], list[str]]:
    with context.database.read() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        events = [event.message for event in session.query(Event).order_by(Event.seq)]
        return session.get_one(Job, job.id), runs, events


def test_a_missing_base_model_fails_the_runs_after_five_attempts(context: WorkerContext) -> None:
    job = add_job(context.database, runs=2)  # of a model named "m"
    slot.train_queued_runs(context)
    row, runs, events = load_outcome(context, job)
    assert [(r.status, r.attempt, r.error and r.error.code) for r in runs] == [
        ("failed", 5, "not_prepared")
    ] * 2
    assert row.status == "failed"
    assert row.error is not None
    assert "no folder for the base model 'm'" in row.error.message
    assert "This happened 5 times." in row.error.message
    assert [warning.code for warning in row.warnings] == ["run_failed", "run_failed"]
    assert sum("starts over: this machine" in message for message in events) == 8
    assert events[-1] == "The job failed: none of its runs succeeded."


def test_a_missing_file_fails_the_run_at_once(context: WorkerContext, model_dir: Path) -> None:
    here = with_models(context, model_dir)
    job = add_job(context.database, runs=1)
    with context.database.write() as session:
        session.get_one(Job, job.id).model = "tiny-bert"
        plain = {
            "owner_id": "local",
            "filename": "f.csv",
            "purpose": "fine-tune",
            "bytes": 1,
            "status": "processed",
        }
        session.add(File(id="f", sha256="0" * 64, **plain))
    slot.train_queued_runs(here)
    row, [only], _ = load_outcome(context, job)
    assert (only.status, only.attempt) == ("failed", 1)
    assert only.error
    assert only.error.code == "data_missing"
    assert (row.status, row.error and row.error.code) == ("failed", "data_missing")


def add_pinned_job(context: WorkerContext, sha256: str | None) -> Job:
    job = add_job(context.database, runs=1)
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        row.model, row.base_model_sha256 = "tiny-bert", sha256
    return job


def test_other_files_of_the_base_model_fail_the_run_at_once(
    context: WorkerContext, model_dir: Path
) -> None:
    here = with_models(context, model_dir)
    job = add_pinned_job(here, "0" * 64)
    slot.train_queued_runs(here)
    row, [only], _ = load_outcome(here, job)
    assert (only.status, only.attempt) == ("failed", 1)
    assert only.error is not None
    assert only.error.code == "base_model_changed"
    assert f"tiny-bert are not those that job {job.id} was created with" in only.error.message
    assert (row.status, row.base_model_sha256) == ("failed", "0" * 64)


def test_the_first_worker_pins_a_model_that_the_api_has_not_seen(
    context: WorkerContext, model_dir: Path
) -> None:
    here = with_models(context, model_dir)
    job = add_pinned_job(here, None)  # its file does not exist, so nothing is trained
    slot.train_queued_runs(here)
    row, [only], _ = load_outcome(here, job)
    assert only.error is not None
    assert only.error.code == "data_missing"
    assert row.base_model_sha256 == compute_model_digest(model_dir / "tiny-bert")
