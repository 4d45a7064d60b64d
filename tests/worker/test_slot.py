"""A slot that trains a stack, from claim to outcome; only the trainer is simulated."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.db.metrics import Metrics
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.worker.scripted_trainer import Line
from tests.worker.simulated_trainer import (
    STEPS,
    ModelTrainer,
    add_trainable_job,
    load_outcome,
    train_queued_runs,
)
from worker import slot
from worker.context import WorkerContext
from worker.trainer.process import Trainer


@pytest.fixture
def context(
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


@pytest.mark.parametrize(
    ("stack", "gpus", "most"),
    [("auto", 0, 1), ("auto", 2, 20), (4, 0, 4), (1, 1, 1), (200, 1, 200)],
)
def test_a_slot_claims_stacks_up_to_its_limit(
    context: WorkerContext, stack: int | str, gpus: int, most: int
) -> None:
    settings = context.settings.model_copy(update={"stack": stack, "gpus": gpus})
    assert (
        WorkerContext(settings, context.database, context.storage, context.trainer).stack_size
        == most
    )


def test_runs_of_a_stack_succeed_and_leave_no_local_files(context: WorkerContext) -> None:
    job = add_trainable_job(context, 5)
    assert train_queued_runs(context, ModelTrainer()) == [[0, 1, 2, 3, 4]]
    status, runs, events = load_outcome(context, job)
    assert status == "succeeded"
    assert [(r.status, r.attempt, r.step, r.validation_score) for r in runs] == [
        ("succeeded", 1, STEPS, index / 100) for index in range(5)
    ]
    for row in runs:
        with context.database.read() as session:
            points = Metrics(session).list_points(row.id, names=["train_loss"])
        assert [point.step for point in points] == list(range(1, STEPS + 1))
        title = f"Run {row.index} (seed {row.seed})"
        assert events.count(f"{title} started.") == 1
        assert sum(message.startswith(f"{title} finished: ") for message in events) == 1
    assert not list((context.settings.resolved_cache_dir / "runs").iterdir())


def test_smaller_stacks_isolate_the_run_that_kills_the_trainer(context: WorkerContext) -> None:
    job = add_trainable_job(context, 20)
    stacks = train_queued_runs(context, ModelTrainer(deadly={13: 6}))
    found = [[10], [11], [12], *[[13]] * 3, [14]]
    assert stacks == [
        list(range(20)),
        *[list(range(n, n + 5)) for n in (0, 5, 10)],
        *found,
        list(range(15, 20)),
    ]
    status, runs, events = load_outcome(context, job)
    assert status == "succeeded"
    guilty = runs.pop(13)
    assert (guilty.status, guilty.deaths, guilty.death_step, guilty.attempt) == ("failed", 3, 5, 5)
    assert guilty.error is not None
    assert (guilty.error.code, "3 times at step 5" in guilty.error.message) == (
        "trainer_died",
        True,
    )
    assert {(row.status, row.deaths) for row in runs} == {("succeeded", 0)}
    assert (
        "Run 3 (seed 3) starts over with at most 4 other runs: at step 5, in a stack of 20, "
        "it ended by itself."
    ) in events
    assert (
        "Run 12 (seed 12) starts over alone: at step 5, in a stack of 5, it ended by itself."
        in events
    )


def test_several_runs_that_kill_the_trainer_at_different_steps_all_end(
    context: WorkerContext,
) -> None:
    job = add_trainable_job(context, 8)
    train_queued_runs(context, ModelTrainer(deadly={0: 1, 5: 3, 7: 10}))
    _, runs, _ = load_outcome(context, job)
    assert [row.status == "failed" for row in runs] == [index in (0, 5, 7) for index in range(8)]
    assert [row.death_step for row in runs if row.status == "failed"] == [0, 2, 9]


def test_a_single_run_that_kills_the_trainer_is_retried_alone(context: WorkerContext) -> None:
    job = add_trainable_job(context, 3)
    alone = WorkerContext(
        context.settings.model_copy(update={"stack": 1}),
        context.database,
        context.storage,
        context.trainer,
    )
    assert train_queued_runs(alone, ModelTrainer(deadly={1: 2})) == [[0], [1], [1], [1], [2]]
    _, runs, _ = load_outcome(context, job)
    assert [row.status for row in runs] == ["succeeded", "failed", "succeeded"]


def test_a_run_that_cannot_be_prepared_fails_alone(context: WorkerContext) -> None:
    job = add_trainable_job(context, 4)
    with context.database.write() as session:
        for row in session.query(Run).where(Run.job_id == job.id):
            row.state = f"runs/{row.id}/1/state-5"
            if row.index != 2:
                context.storage.put_bytes(f"{row.state}/state.json", b"{}")
    assert train_queued_runs(context, ModelTrainer()) == [[0, 1, 3]]
    _, runs, _ = load_outcome(context, job)
    assert [row.status for row in runs] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert runs[2].error
    assert runs[2].error.code == "data_missing"


def test_a_finished_run_is_recorded_while_the_others_train(context: WorkerContext) -> None:
    job = add_trainable_job(context, 2)
    seen: list[str] = []

    class Waiting(ModelTrainer):
        """Trainer that sends its last message only after the first run has succeeded."""

        def _train(self, specs: list[dict[str, Any]]) -> Iterator[Line]:
            *before, last = super()._train(specs)
            yield from before
            while not seen:
                seen.extend(
                    row.status for row in load_outcome(context, job)[1] if row.status == "succeeded"
                )
                yield {"run_id": specs[1]["run_id"], "alive": True}
            yield last

    train_queued_runs(context, Waiting())
    assert [row.status for row in load_outcome(context, job)[1]] == ["succeeded"] * 2


def test_a_run_whose_artifacts_cannot_be_stored_is_trained_again(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runs.finalizer.STORAGE_RETRY_DELAYS_S", ())
    job = add_trainable_job(context, 3)
    put: Callable[[str, Path], None] = context.storage.link_or_put_folder
    refused: list[str] = []

    def take_folder(prefix: str, folder: Path) -> None:
        if not refused:
            refused.append(prefix)
            raise OSError("no space")
        put(prefix, folder)

    monkeypatch.setattr(context.storage, "link_or_put_folder", take_folder)
    assert train_queued_runs(context, ModelTrainer()) == [[0, 1, 2], [0]]
    status, runs, _ = load_outcome(context, job)
    assert (status, [row.attempt for row in runs]) == ("succeeded", [2, 1, 1])


class PilotTrainer(ModelTrainer):
    """Trainer that exports nothing, as for a pilot."""

    def _train(self, specs: list[dict[str, Any]]) -> Iterator[Line]:
        for line in super()._train(specs):
            for spec in specs:
                shutil.rmtree(spec["output"])
                Path(spec["output"]).mkdir()
            yield line


@pytest.mark.parametrize("purpose", ["pilot", "main"])
def test_only_a_pilot_may_end_without_artifacts(context: WorkerContext, purpose: str) -> None:
    job = add_trainable_job(context, 1)
    with context.database.write() as session:
        session.query(Run).where(Run.job_id == job.id).one().purpose = purpose
    train_queued_runs(context, PilotTrainer())
    _, [run], _ = load_outcome(context, job)
    assert (run.status, run.attempt) == {"pilot": ("succeeded", 1), "main": ("failed", 5)}[purpose]
    assert run.artifacts is None
