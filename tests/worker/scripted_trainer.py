"""A scripted trainer, valid messages for it, and a monitor that follows it on a real database."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pydantic_core import to_json
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db.runs import Lease, Runs
from shared.db.session import Database
from shared.db.stack_claim import StackClaimer
from shared.db.tables import Job, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.rows import TASK, add_job
from worker.context import WorkerContext
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.monitor import RunMonitor
from worker.runs.outcomes import Outcome
from worker.trainer.process import Trainer, TrainerDied
from worker.trainer.protocol import (
    RunCommand,
    SpecPayload,
    StackCommand,
    TrainerMessage,
    WorkCommand,
    parse_message,
)
from worker.trainer.stderr_tail import StderrTail

STEPS = 12


Line = dict[str, Any]
"""A message of the trainer before it is parsed."""
ScriptEntry = Line | TrainerDied | Callable[[], object] | None


class ScriptedTrainer:
    """Trainer that plays one entry of its script a call.

    A line is a message, None is silence, an exception is its death; a function is called.
    """

    def __init__(self, script: Iterable[ScriptEntry]) -> None:
        self._script = iter(script)
        self.stop_requests: list[str] = []
        self.pause_requests: list[str] = []
        self.killed = False
        self.stderr_tail = StderrTail()

    def submit_command(self, _command: WorkCommand) -> None: ...

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        assert not self.killed
        entry = next(self._script)
        if isinstance(entry, TrainerDied):
            raise entry
        if callable(entry):
            entry()
            return None
        return None if entry is None else to_message(entry)

    def request_stop(self, run_id: str) -> None:
        self.stop_requests.append(run_id)

    def request_pause(self, run_id: str) -> None:
        self.pause_requests.append(run_id)

    def kill(self, *_signals: object) -> None:
        self.killed = True


class ForgetfulDatabase(Database):
    """Database in which every other transaction fails after its commit: the answer was lost."""

    writes = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
        self.writes += 1
        if self.writes % 2:
            raise OperationalError("COMMIT", {}, ConnectionError("the answer was lost"))


def to_message(line: Line) -> TrainerMessage:
    """Parse a line as the worker parses what comes from the pipe."""
    return parse_message(to_json(line).decode())


def make_event_line(kind: str, *, run_id: str = "ftrun-1", **values: Any) -> Line:
    return {"run_id": run_id, "event": {"type": kind, **values}}


def make_training_lines(run_id: str = "ftrun-1") -> list[Line]:
    """Return the lines of a run's start and steps."""
    lines = [
        make_event_line(
            "started",
            run_id=run_id,
            total_steps=STEPS,
            environment={"device": "cpu"},
            truncated={"train": 2},
            rows={"train": 9, "validation": 3},
            majority_score={"validation": 0.5},
        )
    ]
    for step in range(1, STEPS + 1):
        parts = {"block 0": 0.5, "head": 1 / step} if step in (1, 4) else {}
        values = {
            "train_loss": 1 / step,
            "learning_rate": 0.1,
            "grad_norm": 1.0,
            "part_grad_norms": parts,
        }
        lines.append(make_event_line("step", run_id=run_id, step=step, **values))
        if step % 4 == 0:
            scores = {"accuracy": step / STEPS, "mcc": None}
            values = {"valid_loss": 1.0, "metrics": scores, "score": step / STEPS, "is_best": True}
            lines.append(make_event_line("evaluation", run_id=run_id, step=step, **values))
    return lines


def make_finished_line(run_id: str = "ftrun-1") -> Line:
    return {"run_id": run_id, "event": make_finished_event(best_step=12)}


def make_finished_event(score: float = 0.9, best_step: int = 4) -> dict[str, Any]:
    """Return a ``finished`` event with everything that the protocol asks for."""
    validation = {
        "loss": 0.5,
        "metrics": {"accuracy": score},
        "score": score,
        "confusion": [[1, 0], [0, 1]],
    }
    losses = ("chance", "opening", "closing", "highest", "lowest_validation", "final_validation")
    evidence = {
        **{f"{name}_loss": 0.5 for name in losses},
        "highest_loss_step": 1,
        "lowest_validation_step": 4,
        "vanished": None,
        "distance": {"block 0": 0.01, "head": 0.5},
        "answers": {"a": 0.5, "b": 0.5},
        "truncated": 0.0,
    }
    return {
        "type": "finished",
        "best_step": best_step,
        "validation": validation,
        "test": None,
        "degenerate": False,
        "trained_tokens": 7,
        "weights_sha256": "w",
        "evidence": evidence,
        "diagnosis": [],
    }


def claim_stack(url: str, runs: int) -> list[str]:
    """Claim runs of one job for one worker; return their ids ``ftrun-1``, ``ftrun-2``, …"""
    database = Database(url)
    job = add_job(database, runs=runs)
    ids = [f"ftrun-{index}" for index in range(1, runs + 1)]
    with database.write() as session:
        session.get_one(Job, job.id).task = TASK.model_copy(update={"max_seq_length": 8})
        for run, run_id in zip(session.query(Run).order_by(Run.index).all(), ids, strict=True):
            run.id = run_id
    with database.write() as session:
        first = Runs(session).claim_next("here:1", 60.0)
        assert first is not None
        StackClaimer(session, "here:1", 60.0).claim_runs(first, max_size=runs, slot_count=1)
    database.dispose()
    return ids


def monitor_claimed_runs(
    url: str,
    folder: Path,
    trainer: ScriptedTrainer,
    database: Database | None = None,
    **settings: Any,
) -> Iterator[tuple[str, Outcome]]:
    """Monitor the claimed runs; yield run ids and outcomes as they come."""
    plain = Database(url)
    with plain.read() as session:
        runs = session.query(Run).order_by(Run.index).all()
        job = session.query(Job).one()
    plain.dispose()
    assignments = [Assignment(job, run, Lease(run.id, run.fence), {}) for run in runs]
    made = Settings(home=folder, **settings)
    used = database or Database(url)
    parts = WorkerContext(made, used, Storage(made.resolved_storage_url), cast(Trainer, trainer))
    beat = Heartbeat(
        used, [assignment.lease for assignment in assignments], interval=60.0, lease_seconds=60.0
    )
    specs = [SpecPayload(run_id=run.id) for run in runs]
    command = RunCommand(run=specs[0]) if len(runs) == 1 else StackCommand(stack=specs)
    for assignment, outcome in RunMonitor(parts, assignments, beat).monitor_runs(command):
        yield assignment.run.id, outcome
    if database is None:
        used.dispose()
