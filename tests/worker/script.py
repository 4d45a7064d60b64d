"""A trainer that says what a test has written down, and what is around one that is followed;
the database is real.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db.runs import Hold, Runs
from shared.db.session import Database
from shared.db.stack_claim import Companions
from shared.db.tables import Job, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.rows import add_job
from worker.context import WorkerContext
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.monitor import RunMonitor
from worker.runs.outcomes import Outcome
from worker.trainer.process import Trainer, TrainerDied, TrainerMessage
from worker.trainer.stderr_tail import StderrTail

STEPS = 12


Said = TrainerMessage | TrainerDied | Callable[[], object] | None


class ScriptedTrainer:
    """Says the given lines, one a call; None is silence, an exception is its death, and what
    can be called is done meanwhile.
    """

    def __init__(self, script: Iterable[Said]) -> None:
        self._script = iter(script)
        self.asked: list[str] = []
        self.waits: list[str] = []
        self.killed = False
        self.stderr_tail = StderrTail()

    def submit_command(self, _wish: TrainerMessage) -> None: ...

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        assert not self.killed
        line = next(self._script)
        if isinstance(line, TrainerDied):
            raise line
        if callable(line):
            line()
            return None
        return line

    def request_stop(self, run_id: str) -> None:
        self.asked.append(run_id)

    def request_pause(self, run_id: str) -> None:
        self.waits.append(run_id)

    def kill(self, *_signals: object) -> None:
        self.killed = True


class ForgetfulDatabase(Database):
    """Every other transaction fails after its commit came through: the answer was lost on the
    way.
    """

    writes = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
        self.writes += 1
        if self.writes % 2:
            raise OperationalError("COMMIT", {}, ConnectionError("the answer was lost"))


def say(kind: str, *, run_id: str = "ftrun-1", **values: Any) -> TrainerMessage:
    return {"run_id": run_id, "event": {"type": kind, **values}}


def training(run_id: str = "ftrun-1") -> list[TrainerMessage]:
    """Its beginning and its steps."""
    lines = [
        say(
            "started",
            run_id=run_id,
            total_steps=STEPS,
            environment={"device": "cpu"},
            truncated={"train": 2},
            rows={"train": 9, "validation": 3},
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
        lines.append(say("step", run_id=run_id, step=step, **values))
        if step % 4 == 0:
            scores = {"accuracy": step / STEPS, "mcc": None}
            values = {"valid_loss": 1.0, "metrics": scores, "score": step / STEPS, "is_best": True}
            lines.append(say("evaluation", run_id=run_id, step=step, **values))
    return lines


def finished(run_id: str = "ftrun-1") -> TrainerMessage:
    evidence = {"distance": {"block 0": 0.01, "head": 0.5}}
    return say("finished", run_id=run_id, best_step=12, test=None, evidence=evidence)


def claimed_runs(url: str, runs: int) -> list[str]:
    """Ids ``ftrun-1``, ``ftrun-2``, … of runs of one job, all held by one worker."""
    database = Database(url)
    job = add_job(database, runs=runs)
    ids = [f"ftrun-{index}" for index in range(1, runs + 1)]
    with database.write() as session:
        session.get_one(Job, job.id).task = {"max_seq_length": 8}
        for run, run_id in zip(session.query(Run).order_by(Run.index).all(), ids, strict=True):
            run.id = run_id
    with database.write() as session:
        first = Runs(session).claim("here:1", 60.0)
        assert first is not None
        Companions(session, "here:1", 60.0).claim(first, most=runs, slots=1)
    database.dispose()
    return ids


def followed(
    url: str,
    folder: Path,
    trainer: ScriptedTrainer,
    database: Database | None = None,
    **settings: Any,
) -> Iterator[tuple[str, Outcome]]:
    """Run ids and outcomes, as they come."""
    plain = Database(url)
    with plain.read() as session:
        runs = session.query(Run).order_by(Run.index).all()
        job = session.query(Job).one()
    plain.dispose()
    assignments = [Assignment(job, run, Hold(run.id, run.fence), {}) for run in runs]
    made = Settings(home=folder, **settings)
    used = database or Database(url)
    parts = WorkerContext(made, used, Storage(made.resolved_storage_url), cast(Trainer, trainer))
    beat = Heartbeat(
        used, [assignment.lease for assignment in assignments], interval=60.0, lease_seconds=60.0
    )
    for assignment, outcome in RunMonitor(parts, assignments, beat).monitor_runs(
        {"run": {}} if len(runs) == 1 else {"stack": []}
    ):
        yield assignment.run.id, outcome
    if database is None:
        used.dispose()
