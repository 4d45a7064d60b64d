"""The free disk space limits how many runs of a stack start."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.recipe.fields import MAX_AVERAGED_CHECKPOINTS
from tests.encoders import build_bert_folder
from tests.encoders.layouts import build_layout
from tests.rows import RECIPE
from tests.worker.simulated_trainer import (
    STEPS,
    ModelTrainer,
    add_trainable_job,
    load_outcome,
    train_queued_runs,
)
from worker import slot
from worker.context import WorkerContext
from worker.runs import disk_space, transitions
from worker.runs.outcomes import MachineUnfit
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


def free_disk(context: WorkerContext, monkeypatch: pytest.MonkeyPatch, copies: float) -> None:
    """Simulate a disk with free space for this many copies of the weights."""
    weights = disk_space.measure_copy(Path(context.settings.model_dirs) / "tiny-bert")
    free = disk_space.SPARE_BYTES + int(copies * weights)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free, total=2**40)
    )


def test_the_disk_limits_the_number_of_runs_started(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = WorkerContext(
        context.settings, context.database, Storage("memory:///"), context.trainer
    )
    free_disk(context, monkeypatch, disk_space.PUBLISHED_COPIES + 4.5 * disk_space.WEIGHTS_COPIES)
    job = add_trainable_job(elsewhere, 9)
    assert train_queued_runs(elsewhere, ModelTrainer()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    _, runs, events = load_outcome(context, job)
    assert {(row.status, row.deaths) for row in runs} == {("succeeded", 0)}
    words = (
        "Run 8 (seed 8) was queued again: its worker's disk is too full to train this "
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
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch, runs: int, stack: int, needed: int
) -> None:
    settings = context.settings.model_copy(update={"stack": stack})
    context = WorkerContext(settings, context.database, context.storage, context.trainer)
    job = add_trainable_job(context, runs)
    free_disk(context, monkeypatch, needed - 0.1)
    with monkeypatch.context() as once:
        once.setattr(
            slot,
            "sleep_unless_shutting_down",
            lambda _seconds: free_disk(context, monkeypatch, needed + 0.1),
        )
        train_queued_runs(context, ModelTrainer())
    messages = [
        event for event in load_outcome(context, job)[2] if "MB of free disk space" in event
    ]
    assert messages[0].startswith("Run 0 (seed 0) waits: the run needs")
    assert len(messages) == min(runs, stack)  # with enough disk space all runs succeed
    assert {row.status for row in load_outcome(context, job)[1]} == {"succeeded"}


@pytest.mark.parametrize(
    ("select", "stacks"), [("best_checkpoint", [[0, 1, 2]]), ("greedy_average", [[0, 1], [2]])]
)
def test_the_candidates_of_an_average_take_space_too(
    select: str, stacks: list[list[int]], context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = disk_space.WEIGHTS_COPIES + MAX_AVERAGED_CHECKPOINTS
    kept = disk_space.PUBLISHED_COPIES + disk_space.WEIGHTS_COPIES  # of the third run, later
    free_disk(context, monkeypatch, 2 * each + kept + 0.5)
    job = add_trainable_job(context, 3)
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        row.resolved_recipe = RECIPE.model_copy(update={"max_steps": STEPS, "select": select})
    assert train_queued_runs(context, ModelTrainer()) == stacks


def test_a_model_in_several_files_is_trained(context: WorkerContext, tmp_path: Path) -> None:
    build_layout("weights in several files", tmp_path / "models" / "sharded")
    settings = context.settings.model_copy(update={"model_dirs": str(tmp_path / "models")})
    settings.__dict__.pop("model_folders", None)
    context = WorkerContext(settings, context.database, context.storage, context.trainer)
    job = add_trainable_job(context, 1)
    with context.database.write() as session:
        session.get_one(Job, job.id).model = "sharded"
    assert train_queued_runs(context, ModelTrainer()) == [[0]]
    assert {row.status for row in load_outcome(context, job)[1]} == {"succeeded"}


def test_a_copy_is_float32_whatever_the_base_model_has(tmp_path: Path) -> None:
    plain = build_bert_folder(tmp_path / "plain")
    size = disk_space.measure_copy(plain)
    assert size == pytest.approx((plain / "model.safetensors").stat().st_size, rel=0.1)
    for layout in ("weights in several files", "float16"):
        assert disk_space.measure_copy(build_layout(layout, tmp_path / layout)) == size


def test_weights_that_are_damaged_on_this_machine_send_the_run_elsewhere(tmp_path: Path) -> None:
    folder = build_bert_folder(tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(MachineUnfit, match=r"damaged .+ model\.safetensors is damaged"):
        disk_space.measure_copy(folder)


def test_runs_wait_for_free_space_however_long_that_takes(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add_trainable_job(context, 1)
    free_disk(context, monkeypatch, 0)
    delays = iter(range(2 * transitions.MAX_PREPARATION_FAILURES))

    def end_delay(_seconds: float) -> None:
        if next(delays, None) is None:
            free_disk(context, monkeypatch, 100)

    monkeypatch.setattr(slot, "sleep_unless_shutting_down", end_delay)
    train_queued_runs(context, ModelTrainer())
    status, runs, events = load_outcome(context, job)
    assert (status, runs[0].status) == ("succeeded", "succeeded")
    assert sum("MB of free disk space" in event for event in events) == 1  # told once


def test_a_run_that_no_deletion_makes_room_for_fails_and_says_so(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add_trainable_job(context, 1)
    small = SimpleNamespace(free=2**20, total=2**21)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: small)
    train_queued_runs(context, ModelTrainer())
    _, [run], _ = load_outcome(context, job)
    assert run.status == "failed"
    assert run.error is not None
    assert "disk of the worker's machine has only 2 MB in all" in run.error.message
    assert run.error.message.endswith("This happened 5 times.")
