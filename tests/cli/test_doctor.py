"""``evenkeel doctor`` names what does not fit in a home, and mends what can be."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.program import app
from shared.db.consistency import Problem, find_problems, mend_problems
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import File, Job, Model, Run
from shared.domain.errors import Reason
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_artifacts_prefix, build_file_key
from shared.timings import GARBAGE_GRACE_S
from tests.rows import add_job

CONTENT = b"text,label\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("EVENKEEL_DATABASE_URL", raising=False)
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir()
    return settings


@pytest.fixture
def job(settings: Settings) -> Job:
    """A job that failed while publishing, with one file and one model, all of it whole."""
    apply_migrations(settings.resolved_database_url)
    database, storage = open_home(settings)
    job = add_job(database, runs=2)
    plain = {"owner_id": "local", "filename": "a.csv", "purpose": "fine-tune", "bytes": 1}
    with database.write() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        for run in runs:
            run.status, run.artifacts = "succeeded", f"{build_artifacts_prefix(run.id)}/1"
            storage.put_bytes(f"{run.artifacts}/model/config.json", b"{}")
        row = session.get_one(Job, job.id)
        row.status = "failed"
        row.error = Reason(code="publish_failed", message="It failed.", param=None)
        session.add(File(id="file-1", sha256=SHA256, status="processed", **plain))
        session.add(
            Model(
                id="ft:m",
                owner_id="local",
                job_id=job.id,
                run_id=runs[0].id,
                base_model="m",
                prefix="models/a",
                labels=[],
            )
        )
    storage.put_bytes(build_file_key(SHA256), CONTENT)
    storage.put_bytes("models/a/config.json", b"{}")
    database.dispose()
    return job


def open_home(settings: Settings) -> tuple[Database, Storage]:
    return Database(settings.resolved_database_url), Storage(settings.resolved_storage_url)


def run_doctor(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--home", str(settings.home), *arguments])


def add_orphan(settings: Settings, key: str, age_s: float) -> Path:
    _, storage = open_home(settings)
    storage.put_bytes(key, b"x")
    path = settings.home / "storage" / key
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_a_job_that_was_not_published_is_published_again(settings: Settings, job: Job) -> None:
    found = run_doctor(settings)
    assert found.exit_code == 1
    assert f"job_not_published: Job {job.id}" in found.stdout
    assert "1 problem found, 0 mended." in found.stdout
    assert run_doctor(settings, "--fix").exit_code == 0
    database, _ = open_home(settings)
    with database.read() as session:
        row = session.get_one(Job, job.id)
        assert (row.status, row.error) == ("queued", None)  # a worker advances it
    database.dispose()
    assert run_doctor(settings).stdout == "0 problems found, 0 mended.\n"


def test_lost_and_changed_content_is_named_with_the_cure(settings: Settings, job: Job) -> None:
    run_doctor(settings, "--fix")
    storage = settings.home / "storage"
    (storage / build_file_key(SHA256)).write_bytes(b"other")
    (storage / "models/a/config.json").unlink()
    found = run_doctor(settings, "--fix")
    assert found.exit_code == 1
    assert "file_with_other_content: File file-1 (a.csv)" in found.stdout
    assert f"Clone job {job.id} to train it again." in found.stdout
    assert "2 problems found, 0 mended." in found.stdout
    assert "file_with_other_content" not in run_doctor(settings, "--no-digests").stdout
    (storage / build_file_key(SHA256)).unlink()
    assert "file_without_blob: File file-1 (a.csv)" in run_doctor(settings).stdout


def test_old_blobs_without_a_row_are_deleted(settings: Settings, job: Job) -> None:
    run_doctor(settings, "--fix")
    old = add_orphan(settings, "predictions/ftrun-none.json", GARBAGE_GRACE_S + 60)
    new = add_orphan(settings, f"{build_artifacts_prefix('ftrun-none')}/1/x", 0)
    found = run_doctor(settings, "--fix")
    assert found.exit_code == 0
    assert "blob_without_row: predictions/ftrun-none.json: 1 bytes" in found.stdout
    assert not old.exists()
    assert new.exists()  # its row may be written next


def test_an_older_or_missing_database_is_not_checked(settings: Settings) -> None:
    refused = run_doctor(settings)
    assert refused.exit_code != 0
    assert "There is no database" in str(refused.exception)
    (settings.home / "evenkeel.db").touch()
    assert "evenkeel db upgrade" in str(run_doctor(settings).exception)


@pytest.mark.usefixtures("job")
def test_a_blob_that_has_a_row_by_now_is_not_deleted(settings: Settings) -> None:
    database, storage = open_home(settings)
    path = add_orphan(settings, "models/b/config.json", 0)
    found = [one for one in find_problems(database, storage) if one.problem is Problem.ORPHAN]
    assert [one.subject for one in found] == ["models/b/config.json"]
    with database.write() as session:
        session.query(Model).one().prefix = "models/b"
    assert mend_problems(database, storage, found) == []
    assert path.exists()
    database.dispose()
