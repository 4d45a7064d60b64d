"""Runs that a machine cannot start are requeued, and fail after repeated attempts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Event, File, Job, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.rows import add_job
from worker import slot
from worker.context import WorkerContext
from worker.trainer.process import Trainer


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerContext]:
    monkeypatch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
    settings = Settings(home=tmp_path)
    apply_migrations(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()


def read_job(parts: WorkerContext, job: Job) -> tuple[Job, list[Run], list[str]]:
    with parts.database.read() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        events = [event.message for event in session.query(Event).order_by(Event.seq)]
        return session.get_one(Job, job.id), runs, events


def test_a_missing_base_model_fails_the_runs_after_five_attempts(parts: WorkerContext) -> None:
    job = add_job(parts.database, runs=2)  # of a model named "m"
    slot.train_queued_runs(parts)
    row, runs, events = read_job(parts, job)
    assert [(r.status, r.attempt, (r.error or {})["code"]) for r in runs] == [
        ("failed", 5, "not_prepared")
    ] * 2
    assert row.status == "failed"
    assert row.error is not None
    assert "no folder for the base model 'm'" in row.error["message"]
    assert "5 times before the first step" in row.error["message"]
    assert [warning["code"] for warning in row.warnings] == ["run_failed", "run_failed"]
    assert sum("starts over: before the first step" in message for message in events) == 8
    assert events[-1] == "The job failed: none of its runs succeeded."


def test_a_missing_file_fails_the_run_at_once(
    parts: WorkerContext, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = WorkerContext(
        parts.settings.model_copy(update={"model_dirs": str(model_dir)}),
        parts.database,
        parts.storage,
        parts.trainer,
    )
    job = add_job(parts.database, runs=1)
    with parts.database.write() as session:
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
    row, [only], _ = read_job(parts, job)
    assert (only.status, only.attempt) == ("failed", 1)
    assert (only.error or {})["code"] == "data_missing"
    assert (row.status, (row.error or {})["code"]) == ("failed", "data_missing")
