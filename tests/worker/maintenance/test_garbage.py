"""Garbage collection deletes what is unreferenced for a day and keeps everything else."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.migrate import apply_migrations
from shared.db.references import collect_references
from shared.db.session import Database
from shared.db.tables import File, Job, Model, Run, Upload
from shared.domain.states import OPEN_JOB_STATES
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import StorageRoot, list_run_prefixes
from tests.rows import add_job
from worker.maintenance.garbage import sweep_cache, sweep_storage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    apply_migrations(settings.resolved_database_url)
    opened = Database(settings.resolved_database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    job = add_job(database)
    with database.write() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        runs[0].id, runs[0].status, runs[0].artifacts = (
            "ftrun-ended",
            "succeeded",
            "runs/ftrun-ended/3",
        )
        runs[1].id = "ftrun-open"
        plain = {
            "owner_id": "local",
            "filename": "a",
            "purpose": "fine-tune",
            "bytes": 1,
            "status": "processed",
        }
        session.add(File(id="file-1", sha256="named", **plain))
        for state in ("pending", "completed"):
            session.add(Upload(id=f"upload_{state}", expires_at=0.0, **(plain | {"status": state})))
        session.flush()
        session.add(
            Model(
                id="ft:m",
                owner_id="local",
                job_id=job.id,
                run_id="ftrun-ended",
                base_model="m",
                prefix="models/a",
                labels=[],
            )
        )
    with database.read() as session:
        assert session.scalars(select(Job.id).where(Job.status.in_(OPEN_JOB_STATES))).all() == [
            job.id
        ]
        assert session.get_one(Job, job.id).status == "queued"
        yield session


NAMED = {
    "files/named",
    "runs/ftrun-ended/3/model/config.json",
    "runs/ftrun-open/1/model/config.json",
    "logs/ftrun-ended/1.txt",
    "predictions/ftrun-ended.json",
    "models/a/config.json",
    "uploads/upload_pending/part_1",
}
ORPHANS = {
    "files/unnamed",
    "runs/ftrun-ended/2/model/config.json",
    "runs/ftrun-gone/1/x",
    "logs/ftrun-gone/1.txt",
    "predictions/ftrun-gone.json",
    "models/b/config.json",
    "uploads/upload_completed/part_1",
    "uploads/upload_gone/part_1",
}


def test_unreferenced_blobs_are_deleted_after_a_day(
    session: Session, settings: Settings, database: Database
) -> None:
    storage = Storage(settings.resolved_storage_url)
    for key in NAMED | ORPHANS:
        storage.put_bytes(key, b"x")
    references = collect_references(session)
    assert sweep_storage(references, storage, database) == 0  # all are younger than a day
    assert sweep_storage(
        references, storage, database, now=datetime.now(UTC) + timedelta(hours=25)
    ) == len(ORPHANS)
    assert {blob.key for root in StorageRoot for blob in storage.list(root)} == NAMED


def test_blobs_of_runs_are_deleted_after_an_hour(
    session: Session, settings: Settings, database: Database
) -> None:
    storage = Storage(settings.resolved_storage_url)
    for key in NAMED | ORPHANS:
        storage.put_bytes(key, b"x")
    now = datetime.now(UTC) + timedelta(hours=2)
    sweep_storage(collect_references(session), storage, database, now=now)
    left = {blob.key for root in StorageRoot for blob in storage.list(root)} - NAMED
    assert {key.split("/")[0] for key in left} == {"files", "models", "uploads"}


def test_every_key_is_below_a_root_of_the_table() -> None:
    assert {key.split("/")[0] for key in NAMED} == set(StorageRoot)
    assert {prefix.split("/")[0] for prefix in list_run_prefixes("r")} < set(StorageRoot)


def test_local_copies_and_scratch_folders_are_deleted_after_a_day(
    session: Session, settings: Settings
) -> None:
    cache = settings.resolved_cache_dir
    kept = [
        cache / "runs" / "ftrun-open-1",
        cache / "runs" / "ftrun-gone-2",
        cache / "files" / "young",
    ]
    old = [
        cache / "runs" / "ftrun-gone-1",
        cache / "files" / "old",
        cache / "uploads" / "cut-off",
        cache / "publish" / "job",
    ]
    for path in kept + old:
        path.mkdir(parents=True)
    for path in (kept[0], *old):
        os.utime(path, (1.0, 1.0))
    assert sweep_cache(collect_references(session), settings) == len(old)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in old)
