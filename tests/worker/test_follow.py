"""What a trainer says is recorded once, whatever the database's answers do; a scripted trainer speaks, the database is real."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db.metrics import Metrics
from shared.db.migrate import upgrade
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Event, Job, Run
from shared.settings import Settings
from shared.storage import Storage
from tests.rows import add_job
from worker import follow
from worker.assignment import Assignment
from worker.follow import Follower
from worker.lease import Heartbeat
from worker.outcomes import Died, Failed, Finished, Outcome
from worker.parts import WorkerParts
from worker.supervisor import Line, Trainer, TrainerDied

STEPS = 12


class ScriptedTrainer:
    """Says the given lines, one a call; None is silence, an exception is its death."""

    def __init__(self, script: list[Line | TrainerDied | None]) -> None:
        self._script = iter(script)
        self.stopped: list[str] = []

    def begin(self, _specification: Line) -> None: ...

    def next_line(self, _timeout: float) -> Line | None:
        line = next(self._script)
        if isinstance(line, TrainerDied):
            raise line
        return line

    def ask_to_stop(self, run_id: str) -> None:
        self.stopped.append(run_id)


class ForgetfulDatabase(Database):
    """Every other transaction fails after its commit came through: the answer was lost on the way."""

    writes = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
        self.writes += 1
        if self.writes % 2:
            raise OperationalError("COMMIT", {}, ConnectionError("the answer was lost"))


def say(kind: str, **values: Any) -> Line:
    return {"run_id": "ftrun-1", "event": {"type": kind, **values}}


def training() -> list[Line]:
    lines = [
        say(
            "started",
            total_steps=STEPS,
            environment={"device": "cpu"},
            truncated={"train": 2},
            rows={"train": 9, "validation": 3},
        )
    ]
    for step in range(1, STEPS + 1):
        parts = {"block 0": 0.5, "head": 1 / step} if step in (1, 4) else {}
        lines.append(
            say("step", step=step, train_loss=1 / step, learning_rate=0.1, grad_norm=1.0, part_grad_norms=parts)
        )
        if step % 4 == 0:
            scores = {"accuracy": step / STEPS, "mcc": None}
            lines.append(say("evaluation", step=step, valid_loss=1.0, metrics=scores, score=step / STEPS, is_best=True))
    return lines


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    return url


def record(
    url: str, folder: Path, script: list[Line | TrainerDied | None], database: Database
) -> tuple[Outcome, Run, int]:
    """Follow a scripted training; the outcome, the run's row, the number of metrics events."""
    plain = Database(url)
    job = add_job(plain, runs=1)
    with plain.write() as session:
        run = session.query(Run).where(Run.job_id == job.id).one()
        run.id = "ftrun-1"
    with plain.write() as session:
        session.get_one(Job, job.id).task = {"max_seq_length": 8}
    with plain.write() as session:
        hold = Runs(session).claim("w", 60.0)
        assert hold is not None
    with plain.read() as session:
        assignment = Assignment(session.get_one(Job, job.id), session.get_one(Run, "ftrun-1"), hold, {})
    settings = Settings(home=folder)
    trainer = cast(Trainer, ScriptedTrainer(script))
    parts = WorkerParts(settings, database, Storage(settings.resolved_storage_url), trainer)
    beat = Heartbeat(database, [hold], interval=60.0, lease=60.0)
    [(ended, outcome)] = Follower(parts, [assignment], beat).follow({})
    assert ended is assignment
    with plain.read() as session:
        row = session.get_one(Run, "ftrun-1")
        events = session.query(Event).where(Event.type == "metrics").count()
    for opened in (plain, database):
        opened.dispose()
    return outcome, row, events


@pytest.mark.parametrize("kind", [Database, ForgetfulDatabase])
def test_every_point_once_even_if_answers_get_lost(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Database]
) -> None:
    monkeypatch.setattr(follow, "FLUSH_S", 0.0)  # a transaction for every line
    monkeypatch.setattr("worker.patience.PAUSE_S", 0.0)
    finished = say("finished", best_step=12, test=None, evidence={"distance": {"block 0": 0.01, "head": 0.5}})
    outcome, run, events = record(url, tmp_path, [*training(), finished], kind(url))
    assert isinstance(outcome, Finished)
    assert (run.step, run.train_loss, run.validation_score, run.best_step, run.device) == (12, 1 / 12, 1.0, 12, "cpu")
    database = Database(url)
    with database.read() as session:
        points = Metrics(session).of_run("ftrun-1")
    database.dispose()
    assert [point.step for point in points if point.name == "train_loss"] == list(range(1, STEPS + 1))
    assert [point.step for point in points if point.name == "valid_loss"] == [4, 8, 12]
    assert not [point for point in points if point.name == "valid_mcc"]  # undefined is no point
    by_part = {(point.name, point.step): point.value for point in points if point.name.endswith(("block_0", "head"))}
    assert by_part == {
        ("grad_norm_block_0", 1): 0.5,
        ("grad_norm_block_0", 4): 0.5,
        ("grad_norm_head", 1): 1.0,
        ("grad_norm_head", 4): 0.25,
        ("distance_block_0", 12): 0.01,
        ("distance_head", 12): 0.5,
    }
    assert events == 3


def test_a_death_is_told_with_the_step_reached_and_nothing_is_lost(url: str, tmp_path: Path) -> None:
    script = [*training()[:7], None, TrainerDied("It was killed.")]
    outcome, run, _ = record(url, tmp_path, script, Database(url))
    assert outcome == Died(5, "It was killed.")
    assert run.step == 5


def test_a_failure_is_told_in_the_trainers_words(url: str, tmp_path: Path) -> None:
    reason = {"code": "nan_loss", "message": "The loss is not a number.", "param": None}
    foreign = {"run_id": "ftrun-0", "stopped": True}  # the tail of a run before
    outcome, run, _ = record(
        url, tmp_path, [foreign, *training()[:3], {"run_id": "ftrun-1", "failed": reason}], Database(url)
    )
    assert isinstance(outcome, Failed)
    assert outcome.reason["code"] == "nan_loss"
    assert run.step == 2
