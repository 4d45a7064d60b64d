"""A distillation starts when the main runs have ended, learns from their models, is published."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.stages import DISTILLATION_SEED, build_distillation_run
from shared.db.tables import File, Job
from shared.domain.job_request import RequestedArtifacts, StoredRequest
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_file_key
from tests.worker.simulated_trainer import (
    STEPS,
    ModelTrainer,
    add_trainable_job,
    load_outcome,
    train_queued_runs,
)
from worker.context import WorkerContext
from worker.trainer.process import Trainer
from worker.trainer.protocol import RunCommand, WorkCommand


class RecordingTrainer(ModelTrainer):
    """Trainer that records the teachers of every run that is trained alone."""

    def __init__(self) -> None:
        super().__init__()
        self.teachers: list[list[Path]] = []
        self.unlabelled: list[str] = []

    def submit_command(self, command: WorkCommand) -> None:
        if isinstance(command, RunCommand):
            folders = [Path(folder) for folder in command.run.model_dump()["teachers"]]
            assert all((folder / "config.json").exists() for folder in folders)
            self.teachers.append(folders)
            file = command.run.model_dump()["unlabelled_file"]
            if file is not None:
                self.unlabelled.append(Path(file["path"]).read_text())
        super().submit_command(command)


@pytest.fixture
def context(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerContext]:
    # needs more fields than these rows have
    monkeypatch.setattr("worker.jobs.publish.render_model_card", lambda *_: "")
    settings = Settings(home=tmp_path, model_dirs=str(model_dir), stack=20)
    apply_migrations(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()


def add_distilled_job(context: WorkerContext, runs: int) -> Job:
    job = add_trainable_job(context, runs)
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        row.request = StoredRequest(artifacts=RequestedArtifacts(publish="distilled"))
        session.add(build_distillation_run(row, STEPS))
    return job


def test_the_runs_come_first_and_their_models_are_the_teachers(context: WorkerContext) -> None:
    job, trainer = add_distilled_job(context, 3), RecordingTrainer()
    stacks = train_queued_runs(context, trainer)
    if stacks == [[0, 1, 2]]:  # the slot has emptied its queue before the job advanced
        stacks = train_queued_runs(context, trainer)
    assert stacks == [[0, 1, 2], [DISTILLATION_SEED]]
    status, runs, events = load_outcome(context, job)
    assert status == "succeeded"
    [distillation] = [run for run in runs if run.purpose == "distillation"]
    mains = [run for run in runs if run.purpose == "main"]
    assert distillation.teachers == [run.id for run in mains]
    assert [len(folders) for folders in trainer.teachers] == [3]
    assert "Distillation: one model learns the mean prediction of 3 runs." in events
    with context.database.read() as session:
        row = session.get_one(Job, job.id)
    assert row.publication is not None
    assert (row.publication.kind, row.fine_tuned_model) == (
        "distilled",
        distillation.fine_tuned_model,
    )
    assert [run.fine_tuned_model for run in mains] == [None] * 3
    assert row.trained_tokens == 4 * 7


def test_only_the_distillation_gets_the_unlabelled_texts(context: WorkerContext) -> None:
    job, trainer = add_distilled_job(context, 2), RecordingTrainer()
    content = b"text\nnever seen\n"
    digest = hashlib.sha256(content).hexdigest()
    context.storage.put_bytes(build_file_key(digest), content)
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        file = {"filename": "more.csv", "purpose": "fine-tune", "status": "processed"}
        session.add(File(id="file-more", owner_id=row.owner_id, sha256=digest, bytes=16, **file))
        row.unlabelled_file = "file-more"
        rows = row.dataset.rows.model_copy(update={"train": 2, "unlabelled": 1_000})
        row.dataset = row.dataset.model_copy(update={"rows": rows})
    stacks = train_queued_runs(context, trainer)
    if stacks == [[0, 1]]:  # as above
        train_queued_runs(context, trainer)
    status, runs, events = load_outcome(context, job)
    assert status == "succeeded"
    assert trainer.unlabelled == [content.decode()]
    with context.database.read() as session:
        row = session.get_one(Job, job.id)
    recipe = next(run.recipe for run in runs if run.purpose == "distillation")
    assert recipe is not None
    assert row.publication is not None
    assert row.publication.distilled is not None
    read = recipe.max_steps * recipe.train_batch_size - 2
    assert row.publication.distilled.unlabelled_texts == min(read, 1_000)
    assert (
        "Distillation: one model learns the mean prediction of 2 runs, on "
        f"{min(read, 1_000)} unlabelled texts as well." in events
    )


def test_a_single_run_is_published_without_a_distillation(context: WorkerContext) -> None:
    job = add_distilled_job(context, 1)
    assert train_queued_runs(context, RecordingTrainer()) == [[0]]
    status, runs, _ = load_outcome(context, job)
    assert status == "succeeded"
    assert {run.purpose: run.status for run in runs} == {
        "main": "succeeded",
        "distillation": "cancelled",
    }
