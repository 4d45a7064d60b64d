"""A simulated trainer that trains every run, and a job for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from shared.db.tables import Event, File, Job, Run
from tests.rows import RECIPE, add_job
from tests.worker.scripted_trainer import Line, make_finished_event, to_message
from worker import slot
from worker.context import WorkerContext
from worker.trainer.process import Trainer, TrainerDied
from worker.trainer.protocol import TrainerMessage, WorkCommand
from worker.trainer.stderr_tail import StderrTail

STEPS = 10


class ModelTrainer:
    """Trainer that trains all runs in lockstep, and dies at the ``deadly`` steps."""

    def __init__(self, deadly: dict[int, int] | None = None) -> None:
        self._deadly = deadly or {}
        """Index of a run -> step at which its trainer dies."""
        self.stacks: list[list[int]] = []
        """Indices of the runs of every wish."""
        self._lines: Iterator[Line] = iter(())
        self.stderr_tail = StderrTail()

    def submit_command(self, command: WorkCommand) -> None:
        [(kind, payload)] = command.model_dump().items()
        specs = payload if kind == "stack" else [payload]
        assert (len(specs) > 1) == (kind == "stack")
        self.stacks.append([spec["init_seed"] for spec in specs])
        self._lines = self._train(specs)

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        return to_message(next(self._lines))

    def kill(self, *_signals: object) -> None: ...

    def end_when_idle(self) -> None: ...

    def _train(self, specs: list[dict[str, Any]]) -> Iterator[Line]:
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
            yield {"run_id": spec["run_id"], "event": make_finished_event(spec["init_seed"] / 100)}


def add_trainable_job(context: WorkerContext, runs: int) -> Job:
    job = add_job(context.database, runs=runs)
    plain = {
        "owner_id": "local",
        "filename": "f.csv",
        "purpose": "fine-tune",
        "bytes": 1,
        "status": "processed",
    }
    context.storage.put_bytes("files/f0", b"x")
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        row.model = "tiny-bert"
        row.resolved_recipe = RECIPE.model_copy(update={"max_steps": STEPS})
        session.add(File(id="f", sha256="f0", **plain))
    return job


def train_queued_runs(context: WorkerContext, trainer: ModelTrainer) -> list[list[int]]:
    slot.train_queued_runs(
        WorkerContext(context.settings, context.database, context.storage, cast(Trainer, trainer))
    )
    return trainer.stacks


def load_outcome(context: WorkerContext, job: Job) -> tuple[str, list[Run], list[str]]:
    with context.database.read() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        events = [event.message for event in session.query(Event).order_by(Event.seq)]
        return session.get_one(Job, job.id).status, runs, events
