"""A job's baselines: scored before the seeds, stored with the majority baseline, reported.

A failure of the baselines never fails the job.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from api.jobs.planning.baseline_run import build_baselines_run
from shared.db.counts import count_runs_by_state
from shared.db.migrate import apply_migrations
from shared.db.recovery import RunRecovery
from shared.db.runs import FenceLost, Runs
from shared.db.session import Database
from shared.db.tables import Event, File, Job, Run
from shared.domain.errors import Reason
from shared.domain.job_facts import BaselineScore, BaselineScores, JobWarning
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.report.builder import build_report
from tests.rows import add_job
from tests.worker.scripted_trainer import Line, make_finished_event, to_message
from worker import slot
from worker.context import WorkerContext
from worker.jobs.baselines import describe_scores, merge_scores, store_scores
from worker.runs.assignment import Assignment
from worker.runs.outcomes import Scored
from worker.trainer.process import Trainer
from worker.trainer.protocol import TrainerMessage, WorkCommand
from worker.trainer.stderr_tail import StderrTail
from worker.training.events import BaselinesScored

MAJORITY = BaselineScore(name="majority", score=0.5)
SCORES: BaselineScores = {
    "validation": [
        BaselineScore(name="tfidf_logistic_regression", score=0.71),
        BaselineScore(name="linear_probe", score=0.68),
    ],
    "test": [
        BaselineScore(name="tfidf_logistic_regression", score=0.75),
        BaselineScore(name="linear_probe", score=None),
    ],
}
SCORES_LINE: Line = {
    "event": BaselinesScored(scores=SCORES, rows=30).model_dump(mode="json"),
}
OUT_OF_MEMORY: Line = {
    "failed": {"code": "out_of_memory", "message": "The memory does not suffice.", "param": None}
}


class ScriptedTrainer:
    """Trainer that answers a baselines command as given, and finishes every run at once."""

    def __init__(self, baselines: Line) -> None:
        self._baselines = baselines
        self.commands: list[str] = []
        self._next: Line = {}
        self.stderr_tail = StderrTail()

    def submit_command(self, command: WorkCommand) -> None:
        [(kind, spec)] = command.model_dump().items()
        self.commands.append(kind)
        if kind == "baselines":
            assert "recipe" not in spec
            self._next = {"run_id": spec["run_id"], **self._baselines}
            return
        output = Path(spec["output"])
        (output / "model").mkdir()
        (output / "model" / "config.json").write_text("{}")
        (output / "predictions.json").write_text(json.dumps({"rows": []}))
        self._next = {"run_id": spec["run_id"], "event": make_finished_event()}

    def receive_message(self, _timeout: float) -> TrainerMessage | None:
        return to_message(self._next)

    def kill(self) -> None: ...

    def end_when_idle(self) -> None: ...


@pytest.fixture
def context(tmp_path: Path, model_dir: Path) -> Iterator[WorkerContext]:
    settings = Settings(home=tmp_path, model_dirs=str(model_dir))
    apply_migrations(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()


def job_with_baselines(context: WorkerContext) -> Job:
    """Add a job of two seeds whose file exists, and then its baselines run."""
    job = add_job(context.database, runs=2)
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
        row.model, row.threads = "tiny-bert", 1
        row.baselines = {"validation": [MAJORITY]}
        session.add(File(id="f", sha256="f0", **plain))
        session.add(build_baselines_run(row))
    return job


def train(context: WorkerContext, baselines: Line, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    # the model card needs more fields than these rows have
    monkeypatch.setattr("worker.jobs.publish.render_model_card", lambda *_: "")
    trainer = ScriptedTrainer(baselines)
    slot.train_queued_runs(
        WorkerContext(context.settings, context.database, context.storage, cast(Trainer, trainer))
    )
    return trainer.commands


def load_outcome(context: WorkerContext, job: Job) -> tuple[Job, dict[str, Run], list[str]]:
    with context.database.read() as session:
        runs = {
            f"{run.purpose} {run.index}": run
            for run in session.query(Run).where(Run.job_id == job.id)
        }
        events = [event.message for event in session.query(Event).order_by(Event.seq)]
        return session.get_one(Job, job.id), runs, events


def test_baselines_are_scored_before_the_seeds_and_reported(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_with_baselines(context)
    assert train(context, SCORES_LINE, monkeypatch) == ["baselines", "run", "run"]
    row, runs, events = load_outcome(context, job)
    assert row.status == "succeeded"
    assert row.baselines == {
        "validation": [MAJORITY, *SCORES["validation"]],
        "test": SCORES["test"],
    }
    scoring = runs["baselines 0"]
    assert (scoring.status, scoring.step, scoring.artifacts, scoring.diagnosis) == (
        "succeeded",
        1,
        None,
        [],
    )
    assert events[:2] == [
        "The scoring of the baselines started.",
        "Baselines on the test rows, fitted on 30 of the 40 training rows: TF-IDF with "
        "logistic regression reaches accuracy 0.750, "
        "a linear probe of the frozen encoder reaches accuracy undefined.",
    ]
    with context.database.read() as session:
        report = build_report(row, Runs(session).list_by_job(job.id))
        counts = {
            count.purpose: (count.runs, count.steps_total)
            for count in count_runs_by_state(session, [job.id])
        }
    assert (report.planned, report.n) == (2, 2)
    assert counts == {"baselines": (1, 1), "main": (2, 20)}
    strongest_first = ["tfidf_logistic_regression", "linear_probe", "majority"]
    assert [baseline.name for baseline in report.baselines] == strongest_first


def test_failed_baselines_are_a_warning_of_the_job(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_with_baselines(context)
    train(context, OUT_OF_MEMORY, monkeypatch)
    row, runs, events = load_outcome(context, job)
    assert (row.status, row.error, runs["baselines 0"].status) == ("succeeded", None, "failed")
    assert row.baselines == {"validation": [MAJORITY]}
    said = "The scoring of the baselines failed: The memory does not suffice."
    assert row.warnings == [JobWarning(code="baselines_failed", message=said)]
    assert said in events


def test_a_job_whose_seeds_fail_fails_despite_its_baselines(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_with_baselines(context)
    with context.database.write() as session:
        for seed in session.query(Run).where(Run.job_id == job.id, Run.purpose == "main"):
            seed.status, seed.error = (
                "failed",
                Reason(code="nan_loss", message="It diverged.", param=None),
            )
    assert train(context, SCORES_LINE, monkeypatch) == ["baselines"]
    row, _, _ = load_outcome(context, job)
    assert (row.status, row.error) == (
        "failed",
        Reason(code="nan_loss", message="All 2 runs failed: It diverged.", param=None),
    )
    assert len(row.baselines["validation"]) == 3


def test_a_worker_that_lost_the_run_stores_no_scores(context: WorkerContext) -> None:
    job = job_with_baselines(context)
    with context.database.write() as session:
        hold = Runs(session).claim_next("gone", -1.0)
        assert hold is not None
    with context.database.write() as session:
        RunRecovery(session).release_expired_leases()
    with context.database.read() as session:
        assignment = Assignment(
            session.get_one(Job, job.id), session.get_one(Run, hold.run_id), hold, {}
        )
    with pytest.raises(FenceLost), context.database.write() as session:
        store_scores(
            session, assignment, Scored(BaselinesScored.model_validate(SCORES_LINE["event"]))
        )
    row, _, _ = load_outcome(context, job)
    assert row.baselines == {"validation": [MAJORITY]}


def test_new_scores_replace_earlier_ones() -> None:
    known: BaselineScores = {
        "validation": [MAJORITY, BaselineScore(name="linear_probe", score=0.1)]
    }
    assert merge_scores(known, SCORES) == {
        "validation": [MAJORITY, *SCORES["validation"]],
        "test": SCORES["test"],
    }


def test_the_sentence_is_about_the_rows_of_the_report() -> None:
    validation = {"validation": SCORES["validation"]}
    assert describe_scores(validation, "mcc", fitted_rows=40, total_rows=40) == (
        "Baselines on the validation rows: TF-IDF with logistic regression reaches mcc 0.710, "
        "a linear probe of the frozen encoder reaches mcc 0.680."
    )
