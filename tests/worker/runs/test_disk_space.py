"""The free disk space limits how many runs of a stack start."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.worker.model_trainer import ModelTrainer, add_trainable_job, read_job, train_queued_runs
from worker import slot
from worker.context import WorkerContext
from worker.runs import disk_space
from worker.trainer.process import Trainer


@pytest.fixture
def parts(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerContext]:
    monkeypatch.setattr(
        "worker.jobs.publish.render_model_card", lambda *_: ""
    )  # needs more fields than these rows have
    monkeypatch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
    settings = Settings(home=tmp_path, model_dirs=str(model_dir), stack=20)
    apply_migrations(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()


def free_disk(parts: WorkerContext, monkeypatch: pytest.MonkeyPatch, copies: float) -> None:
    """Simulate a disk with free space for this many copies of the weights."""
    weights = (Path(parts.settings.model_dirs) / "tiny-bert" / "model.safetensors").stat().st_size
    free = disk_space.SPARE_BYTES + int(copies * weights)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))


def test_the_disk_limits_the_number_of_runs_started(
    parts: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = WorkerContext(parts.settings, parts.database, Storage("memory:///"), parts.trainer)
    free_disk(parts, monkeypatch, disk_space.PUBLISHED_COPIES + 4.5 * disk_space.WEIGHTS_COPIES)
    job = add_trainable_job(elsewhere, 9)
    assert train_queued_runs(elsewhere, ModelTrainer()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    _, runs, events = read_job(parts, job)
    assert {(row.status, row.deaths) for row in runs} == {("succeeded", 0)}
    words = (
        "Run 8 (seed 8) was queued again: the disk of its worker is too full to train so "
        "many runs together."
    )
    assert events.count(words) == 2


@pytest.mark.parametrize(
    ("runs", "stack", "needed"),
    [
        (6, 6, disk_space.PUBLISHED_COPIES + 6 * disk_space.WEIGHTS_COPIES),
        (
            3,
            1,
            disk_space.PUBLISHED_COPIES + 2 * disk_space.WEIGHTS_COPIES + disk_space.STATE_COPIES,
        ),  # the resume state of the first of the three
    ],
)
def test_artifacts_of_later_runs_count_if_they_stay_on_this_disk(
    parts: WorkerContext, monkeypatch: pytest.MonkeyPatch, runs: int, stack: int, needed: int
) -> None:
    settings = parts.settings.model_copy(update={"stack": stack})
    parts = WorkerContext(settings, parts.database, parts.storage, parts.trainer)
    job = add_trainable_job(parts, runs)
    free_disk(parts, monkeypatch, needed - 0.1)
    with monkeypatch.context() as once:
        once.setattr(
            slot,
            "sleep_unless_shutting_down",
            lambda _seconds: free_disk(parts, monkeypatch, needed + 0.1),
        )
        train_queued_runs(parts, ModelTrainer())
    messages = [event for event in read_job(parts, job)[2] if "MB of free disk" in event]
    assert messages[0].startswith("Run 0 (seed 0) starts over: before the first step")
    assert len(messages) == min(runs, stack)  # with enough disk space all runs succeed
    assert {row.status for row in read_job(parts, job)[1]} == {"succeeded"}
