"""A slot that trains several runs of a job: from the claim to their ends. The trainer is a
model of one; all else is real.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.db.metrics import Metrics
from shared.db.migrate import upgrade
from shared.db.session import Database
from shared.db.tables import Event, File, Job, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.rows import add_job
from worker import slot
from worker.context import WorkerContext
from worker.runs import disk_space
from worker.trainer.process import Trainer, TrainerDied, TrainerMessage
from worker.trainer.stderr_tail import StderrTail

STEPS = 10


class ModelTrainer:
    """Trains whatever it is given in lockstep, all of it at once; at ``deadly`` steps a run's
    process dies.
    """

    def __init__(self, deadly: dict[int, int] | None = None) -> None:
        self._deadly = deadly or {}
        """Index of a run -> step at which its trainer dies."""
        self.stacks: list[list[int]] = []
        """Indices of the runs of every wish."""
        self._lines: Iterator[TrainerMessage] = iter(())
        self.stderr_tail = StderrTail()

    def submit_command(self, wish: TrainerMessage) -> None:
        [(kind, told)] = wish.items()
        specs = told if kind == "stack" else [told]
        assert (len(specs) > 1) == (kind == "stack")
        self.stacks.append([spec["init_seed"] for spec in specs])
        self._lines = self._train(specs)

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        return next(self._lines)

    def kill(self, *_signals: object) -> None: ...

    def _train(self, specs: list[TrainerMessage]) -> Iterator[TrainerMessage]:
        for step in range(1, STEPS + 1):
            for spec in specs:
                if self._deadly.get(spec["init_seed"]) == step:
                    raise TrainerDied("It ended by itself.")
            for spec in specs:
                values = {
                    "train_loss": 0.5,
                    "learning_rate": 0.1,
                    "grad_norm": 1.0,
                    "part_grad_norms": {},
                }
                yield {"run_id": spec["run_id"], "event": {"type": "step", "step": step, **values}}
        for spec in specs:
            output = Path(spec["output"])
            (output / "predictions.json").write_text('{"rows": []}')
            (output / "model").mkdir()
            (output / "model" / "config.json").write_text("{}")
            yield {"run_id": spec["run_id"], "event": finished(score=spec["init_seed"] / 100)}


def finished(score: float) -> dict[str, Any]:
    result = {
        "loss": 0.5,
        "metrics": {"accuracy": score},
        "score": score,
        "confusion": [[1, 0], [0, 1]],
    }
    end = {"best_step": 4, "evidence": {"distance": {}}, "degenerate": False, "trained_tokens": 7}
    return {
        "type": "finished",
        "validation": result,
        "test": None,
        **end,
        "weights_sha256": "w",
        "diagnosis": [],
    }


@pytest.fixture
def parts(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerContext]:
    monkeypatch.setattr(
        "worker.jobs.publish.render_model_card", lambda *_: ""
    )  # another test's concern
    monkeypatch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
    settings = Settings(home=tmp_path, model_dirs=str(model_dir), stack=20)
    upgrade(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()


def job_of(parts: WorkerContext, runs: int) -> Job:
    job = add_job(parts.database, runs=runs)
    plain = {
        "owner_id": "local",
        "filename": "f.csv",
        "purpose": "fine-tune",
        "bytes": 1,
        "status": "processed",
    }
    parts.storage.put_bytes("files/f0", b"x")
    with parts.database.write() as session:
        row = session.get_one(Job, job.id)
        row.model, row.resolved_recipe = "tiny-bert", {"preset": "stabilized", "max_steps": STEPS}
        row.task = {"label_names": ["a", "b"], "text_pair_column": None}
        row.dataset = {"rows": {"train": 40, "validation": 10, "test": 0}, "labels": []}
        session.add(File(id="f", sha256="f0", **plain))
    return job


def train(parts: WorkerContext, trainer: ModelTrainer) -> list[list[int]]:
    slot.train_queued_runs(
        WorkerContext(parts.settings, parts.database, parts.storage, cast(Trainer, trainer))
    )
    return trainer.stacks


def ended(parts: WorkerContext, job: Job) -> tuple[str, list[Run], list[str]]:
    with parts.database.read() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        events = [event.message for event in session.query(Event).order_by(Event.seq)]
        return session.get_one(Job, job.id).status, runs, events


@pytest.mark.parametrize(
    ("stack", "gpus", "most"),
    [("auto", 0, 1), ("auto", 2, 20), (4, 0, 4), (1, 1, 1), (200, 1, 200)],
)
def test_how_many_a_slot_takes(
    parts: WorkerContext, stack: int | str, gpus: int, most: int
) -> None:
    settings = parts.settings.model_copy(update={"stack": stack, "gpus": gpus})
    assert WorkerContext(settings, parts.database, parts.storage, parts.trainer).stack_size == most


def test_each_is_an_ordinary_run_and_leaves_nothing_on_the_machine(parts: WorkerContext) -> None:
    job = job_of(parts, 5)
    assert train(parts, ModelTrainer()) == [[0, 1, 2, 3, 4]]
    status, runs, events = ended(parts, job)
    assert status == "succeeded"
    assert [(r.status, r.attempt, r.step, r.validation_score) for r in runs] == [
        ("succeeded", 1, STEPS, index / 100) for index in range(5)
    ]
    for row in runs:
        with parts.database.read() as session:
            points = Metrics(session).of_run(row.id, names=["train_loss"])
        assert [point.step for point in points] == list(range(1, STEPS + 1))
        title = f"Run {row.index} (seed {row.seed})"
        assert events.count(f"{title} started.") == 1
        assert sum(message.startswith(f"{title} finished: ") for message in events) == 1
    assert not list((parts.settings.resolved_cache_dir / "runs").iterdir())


def test_the_one_whose_trainer_dies_is_found_and_the_others_succeed(parts: WorkerContext) -> None:
    job = job_of(parts, 20)
    stacks = train(parts, ModelTrainer(deadly={13: 6}))
    found = [[10], [11], [12], *[[13]] * 3, [14]]
    assert stacks == [
        list(range(20)),
        *[list(range(n, n + 5)) for n in (0, 5, 10)],
        *found,
        list(range(15, 20)),
    ]
    status, runs, events = ended(parts, job)
    assert status == "succeeded"
    guilty = runs.pop(13)
    assert (guilty.status, guilty.deaths, guilty.death_step, guilty.attempt) == ("failed", 3, 5, 5)
    assert guilty.error is not None
    assert (guilty.error["code"], "3 times at step 5" in guilty.error["message"]) == (
        "trainer_died",
        True,
    )
    assert {(row.status, row.deaths) for row in runs} == {("succeeded", 0)}
    assert (
        "Run 3 (seed 3) starts over, beside 4 others at the most: at step 5, as one of 20, "
        "it ended by itself."
    ) in events
    assert (
        "Run 12 (seed 12) starts over, alone: at step 5, as one of 5, it ended by itself." in events
    )


def test_several_guilty_ones_at_different_steps_come_to_their_ends(parts: WorkerContext) -> None:
    job = job_of(parts, 8)
    train(parts, ModelTrainer(deadly={0: 1, 5: 3, 7: 10}))
    _, runs, _ = ended(parts, job)
    assert [row.status == "failed" for row in runs] == [index in (0, 5, 7) for index in range(8)]
    assert [row.death_step for row in runs if row.status == "failed"] == [0, 2, 9]


def test_with_one_at_a_time_nothing_is_as_in_a_stack(parts: WorkerContext) -> None:
    job = job_of(parts, 3)
    alone = WorkerContext(
        parts.settings.model_copy(update={"stack": 1}), parts.database, parts.storage, parts.trainer
    )
    assert train(alone, ModelTrainer(deadly={1: 2})) == [[0], [1], [1], [1], [2]]
    _, runs, _ = ended(parts, job)
    assert [row.status for row in runs] == ["succeeded", "failed", "succeeded"]


def free_disk(parts: WorkerContext, monkeypatch: pytest.MonkeyPatch, copies: float) -> None:
    """So many copies of the weights fit on this machine's disk."""
    weights = (Path(parts.settings.model_dirs) / "tiny-bert" / "model.safetensors").stat().st_size
    free = disk_space.SPARE_BYTES + int(copies * weights)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))


def test_no_more_are_begun_than_the_disk_has_room_for(
    parts: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = WorkerContext(parts.settings, parts.database, Storage("memory:///"), parts.trainer)
    free_disk(parts, monkeypatch, disk_space.PUBLISHED_COPIES + 4.5 * disk_space.WEIGHTS_COPIES)
    job = job_of(elsewhere, 9)
    assert train(elsewhere, ModelTrainer()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    _, runs, events = ended(parts, job)
    assert {(row.status, row.deaths) for row in runs} == {("succeeded", 0)}
    words = (
        "Run 8 (seed 8) was queued again: its worker has no room on its disk for so many at a time."
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
        ),  # what the first of the three may be paused with
    ],
)
def test_the_runs_that_follow_are_counted_where_they_stay(
    parts: WorkerContext, monkeypatch: pytest.MonkeyPatch, runs: int, stack: int, needed: int
) -> None:
    settings = parts.settings.model_copy(update={"stack": stack})
    parts = WorkerContext(settings, parts.database, parts.storage, parts.trainer)
    job = job_of(parts, runs)
    free_disk(parts, monkeypatch, needed - 0.1)
    with monkeypatch.context() as once:
        once.setattr(
            slot,
            "sleep_unless_shutting_down",
            lambda _seconds: free_disk(parts, monkeypatch, needed + 0.1),
        )
        train(parts, ModelTrainer())
    words = [event for event in ended(parts, job)[2] if "MB of free disk" in event]
    assert words[0].startswith("Run 0 (seed 0) starts over: before the first step")
    assert len(words) == min(runs, stack)  # once the disk has been cleared, all goes well
    assert {row.status for row in ended(parts, job)[1]} == {"succeeded"}


def test_one_that_cannot_be_prepared_fails_alone(parts: WorkerContext) -> None:
    job = job_of(parts, 4)
    with parts.database.write() as session:
        for row in session.query(Run).where(Run.job_id == job.id):
            row.state = f"runs/{row.id}/1/state-5"
            if row.index != 2:
                parts.storage.put_bytes(f"{row.state}/state.json", b"{}")
    assert train(parts, ModelTrainer()) == [[0, 1, 3]]
    _, runs, _ = ended(parts, job)
    assert [row.status for row in runs] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert (runs[2].error or {})["code"] == "data_missing"


def test_a_run_that_has_finished_is_ended_while_the_others_train(parts: WorkerContext) -> None:
    job = job_of(parts, 2)
    seen: list[str] = []

    class Waiting(ModelTrainer):
        """The second run takes its last line only when the first has ended in the database."""

        def _train(self, specs: list[TrainerMessage]) -> Iterator[TrainerMessage]:
            *before, last = super()._train(specs)
            yield from before
            while not seen:
                seen.extend(row.status for row in ended(parts, job)[1] if row.status == "succeeded")
                yield {"run_id": specs[1]["run_id"], "alive": True}
            yield last

    train(parts, Waiting())
    assert [row.status for row in ended(parts, job)[1]] == ["succeeded"] * 2


def test_what_the_storage_does_not_take_is_trained_again(
    parts: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runs.finalizer.STORAGE_RETRY_DELAYS_S", ())
    job = job_of(parts, 3)
    put: Callable[[str, Path], None] = parts.storage.take_folder
    refused: list[str] = []

    def take_folder(prefix: str, folder: Path) -> None:
        if not refused:
            refused.append(prefix)
            raise OSError("no space")
        put(prefix, folder)

    monkeypatch.setattr(parts.storage, "take_folder", take_folder)
    assert train(parts, ModelTrainer()) == [[0, 1, 2], [0]]
    status, runs, _ = ended(parts, job)
    assert (status, [row.attempt for row in runs]) == ("succeeded", [2, 1, 1])
