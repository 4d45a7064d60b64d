"""The rows of made-up jobs: copies of a real one with other ids, states, times and results.

The results are the service's own scores of made-up answers, in the shapes in which a worker
stores them.
"""

import random
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from shared.db.events import JOB_CANCELLED_MESSAGE
from shared.db.tables import Base, Checkpoint, Event, File, Job, Model, Run, WebhookDelivery
from shared.domain import ids
from shared.domain.errors import Reason
from shared.domain.naming import build_model_id, format_run_title
from shared.domain.run_evidence import Evidence
from shared.domain.states import ENDED_JOB_STATES, JobState, RunState
from shared.domain.task import Task
from shared.metrics.run_result import SplitResult, TrainedResult
from shared.metrics.scoring import Scoring

Row = dict[str, Any]
Rows = dict[type[Base], list[Row]]

EVALUATIONS = 8
OUTCOME_COUNT = 60
"""Different results that the runs are given."""
DAY_S = 86_400.0
TEAMS = ("search", "support", "films", "legal")
STUDY_JOBS = 5
"""Jobs that carry the same ``study`` in their metadata."""
RUN_STATE_SHARES: dict[JobState, dict[RunState, float]] = {
    JobState.SUCCEEDED: {RunState.FAILED: 0.05, RunState.SUCCEEDED: 0.95},
    JobState.FAILED: {RunState.FAILED: 1.0},
    JobState.CANCELLED: {RunState.SUCCEEDED: 0.4, RunState.CANCELLED: 0.6},
    JobState.RUNNING: {RunState.SUCCEEDED: 0.6, RunState.RUNNING: 0.1, RunState.QUEUED: 0.3},
    JobState.PAUSED: {RunState.SUCCEEDED: 0.5, RunState.PAUSED: 0.5},
    JobState.QUEUED: {RunState.QUEUED: 1.0},
}
"""What the runs of a job are in."""
NEWEST_JOB_STATES = (JobState.PAUSED, *[JobState.RUNNING] * 3, *[JobState.QUEUED] * 3)
FAILURE = Reason(code="out_of_memory", message="The trainer process ran out of memory.", param=None)


class Template(NamedTuple):
    """Columns and values of a job that the API has made, of a run of its, and of its file."""

    job: Row
    run: Row
    file: Row


class Outcome(NamedTuple):
    result: TrainedResult
    score: float
    degenerate: bool
    metrics: dict[str, float | None]


class RowFactory:
    """Rows of ``count`` jobs of so many runs each; what was made so far can be read from
    ``jobs`` and ``runs``.
    """

    def __init__(self, template: Template, count: int, runs: int) -> None:
        self._template, self._count, self._runs = template, count, runs
        self._rng = random.Random(0)
        self._outcomes = create_outcomes(template.job, self._rng)
        self._now = time.time()
        self.jobs: list[tuple[str, JobState]] = []
        """Ids and states, oldest first."""
        self.runs: list[tuple[str, str, RunState]] = []
        """Ids of the job and the run, and the run's state."""

    def build_rows(self, positions: range) -> Rows:
        """Of the jobs at these places, 0 the oldest; by table, in an order in which they can be
        inserted.
        """
        found: Rows = {
            table: [] for table in (Job, Run, Event, Checkpoint, File, Model, WebhookDelivery)
        }
        for place in positions:
            self._add_job(found, place)
        return found

    def _add_job(self, rows: Rows, position: int) -> None:
        state = self._choose_job_state(position)
        job_id, created = ids.make_job_id(), self._now - 90 * DAY_S * (1 - position / self._count)
        self.jobs.append((job_id, state))
        job = self._template.job | {
            "id": job_id,
            "status": state,
            "created_at": created,
            "job_metadata": _build_metadata(position),
        }
        rows[Job].append(job)
        _add_event(
            rows,
            job,
            None,
            (
                f"Created: {self._runs} runs of {_get_max_steps(job)} steps with the recipe "
                "stabilized."
            ),
        )
        runs = [
            self._add_run(rows, job, index, run_state)
            for index, run_state in enumerate(self._list_run_states(state))
        ]
        if state != JobState.QUEUED:
            job["started_at"] = created + 60
        if state in ENDED_JOB_STATES:
            self._finish_job(rows, job, runs)

    def _choose_job_state(self, position: int) -> JobState:
        """The newest are open; of the others most have succeeded."""
        behind = self._count - position
        if behind <= len(NEWEST_JOB_STATES):
            return NEWEST_JOB_STATES[-behind]
        return {7: JobState.CANCELLED, 19: JobState.FAILED}.get(position % 25, JobState.SUCCEEDED)

    def _list_run_states(self, state: JobState) -> list[RunState]:
        shares = RUN_STATE_SHARES[state]
        last = next(reversed(shares))
        states = [
            run_state
            for run_state, share in shares.items()
            for _ in range(round(share * self._runs))
        ]
        return [*states, *[last] * self._runs][: self._runs]

    def _add_run(self, rows: Rows, job: Row, index: int, state: RunState) -> Row:
        begun = job["created_at"] + 60 + 30 * index
        given = {
            "id": ids.make_run_id(),
            "job_id": job["id"],
            "index": index,
            "status": state,
            "created_at": job["created_at"],
        }
        seeds = dict.fromkeys(("seed", "init_seed", "data_seed"), index)
        run = self._template.run | given | seeds
        rows[Run].append(run)
        self.runs.append((job["id"], run["id"], state))
        if state == RunState.QUEUED:
            return run
        steps = _get_max_steps(job)
        run |= {
            "started_at": begun,
            "attempt": 1,
            "fence": 1,
            "worker": "bench:0",
            "device": "cpu",
            "train_loss": 0.31,
        }
        run |= {
            "step": steps if state == RunState.SUCCEEDED else steps // 2,
            "environment": {"torch": "2", "threads": "1"},
        }
        _add_event(rows, job, run, f"{format_run_title('main', index, index)} started.")
        outcome = self._rng.choice(self._outcomes)
        for step in range(steps // EVALUATIONS, run["step"] + 1, steps // EVALUATIONS):
            _add_evaluation_event(rows, job, run, step, outcome)
        run |= (
            _build_end_columns(run, outcome)
            if state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)
            else {}
        )
        if state == RunState.RUNNING:
            run["lease_until"] = self._now + DAY_S
        if state == RunState.SUCCEEDED:
            _add_event(
                rows,
                job,
                run,
                f"{format_run_title('main', index, index)} finished: validation {outcome.score:.4f}.",
            )
        return run

    def _finish_job(self, rows: Rows, job: Row, runs: Sequence[Row]) -> None:
        succeeded = [run for run in runs if run["status"] == RunState.SUCCEEDED]
        job |= {
            "finished_at": job["created_at"] + 60 + 30 * len(runs),
            "trained_tokens": 40_000 * len(succeeded),
        }
        if job["status"] == JobState.SUCCEEDED:
            self._publish_model(
                rows, job, max(succeeded, key=lambda run: float(run["validation_score"]))
            )
        elif job["status"] == JobState.FAILED:
            job["error"] = FAILURE
        words = (
            JOB_CANCELLED_MESSAGE
            if job["status"] == JobState.CANCELLED
            else f"The job has {job['status']}."
        )
        _add_event(rows, job, None, words)

    def _publish_model(self, rows: Rows, job: Row, best_run: Row) -> None:
        name = build_model_id(job["model"], job["owner_id"], None, job["id"])
        files = [
            _build_result_file(job, self._template.file, filename)
            for filename in ("metrics.csv", "model.zip")
        ]
        rows[File] += [
            *files,
            self._template.file | {"id": ids.make_file_id(), "created_at": job["created_at"]},
        ]
        job |= {"fine_tuned_model": name, "result_files": [file["id"] for file in files]}
        best_run |= {"fine_tuned_model": name, "artifacts": f"models/{job['id']}"}
        own = {"owner_id": job["owner_id"], "job_id": job["id"], "created_at": job["finished_at"]}
        of_run = own | {"run_id": best_run["id"]}
        base = {
            "base_model": job["model"],
            "prefix": best_run["artifacts"],
            "labels": job["task"].label_names,
        }
        rows[Model].append(of_run | base | {"id": name})
        metrics = {
            "step": best_run["best_step"],
            "valid_loss": best_run["result"].validation.loss,
        }
        metrics |= {
            f"valid_{key}": value for key, value in best_run["result"].validation.metrics.items()
        }
        rows[Checkpoint].append(
            of_run
            | {"id": ids.make_checkpoint_id(), "step": best_run["best_step"], "metrics": metrics}
        )
        notice = {
            "type": "fine_tuning.job.succeeded",
            "payload": "{}",
            "status": "delivered",
            "attempts": 1,
        }
        rows[WebhookDelivery].append(
            own | notice | {"id": ids.make_event_id(), "delivered_at": job["finished_at"]}
        )


def create_outcomes(job: Row, rng: random.Random) -> list[Outcome]:
    """What runs of the job could have reached, from knowing nothing to being nearly right."""
    task = Task.model_validate(job["task"])
    scoring = Scoring(task, job["metric"])
    answers = range(len(task.label_names))
    labels = [rng.choice(answers) for _ in range(job["dataset"].rows.validation)]
    found = []
    for place in range(OUTCOME_COUNT):
        right = 0.0 if place % 20 == 0 else 0.6 + 0.3 * place / OUTCOME_COUNT
        predictions = [label if rng.random() < right else 0 for label in labels]
        metrics = scoring.compute_scores(labels, predictions)
        score = metrics[job["metric"]] or 0.0
        confusion, classes = (
            scoring.build_confusion_matrix(labels, predictions),
            scoring.compute_class_scores(labels, predictions),
        )
        split = SplitResult(
            loss=1.4 - score, metrics=metrics, score=score, confusion=confusion, per_class=classes
        )
        counts = {
            name: predictions.count(index) / len(labels)
            for index, name in enumerate(task.label_names)
        }
        result = TrainedResult(
            validation=split, test=None, evidence=_build_evidence(job, score, counts)
        )
        found.append(
            Outcome(result, score, scoring.is_degenerate(labels, predictions, score), metrics)
        )
    return found


def _build_evidence(job: Row, score: float, answer_shares: dict[str, float]) -> Evidence:
    steps, loss = _get_max_steps(job), 1.4 - score
    distance = dict.fromkeys(
        ("embeddings", *(f"layer.{block}" for block in range(6)), "pooler", "head"), 0.01
    )
    return Evidence(
        chance_loss=1.33, opening_loss=1.35, closing_loss=loss, highest_loss=1.35, highest_loss_step=5,
        lowest_validation_loss=loss, lowest_validation_step=steps, final_validation_loss=loss, vanished=None,
        distance=distance, answers=answer_shares, truncated=0.0,
    )  # fmt: skip


def _build_end_columns(run: Row, outcome: Outcome) -> Row:
    ended: Row = {"finished_at": run["started_at"] + 25}
    if run["status"] == RunState.FAILED:
        return ended | {"error": FAILURE}
    if run["status"] == RunState.CANCELLED:
        return ended | {"cancel_requested": True}
    reached = {
        "validation_score": outcome.score,
        "degenerate": outcome.degenerate,
        "result": outcome.result,
    }
    return (
        ended
        | reached
        | {"best_step": run["step"], "trained_tokens": 40_000, "weights_sha256": "0" * 64}
    )


def _build_result_file(job: Row, file: Row, filename: str) -> Row:
    own = {
        "id": ids.make_file_id(),
        "filename": filename,
        "purpose": "fine-tune-results",
        "validation": None,
    }
    return file | own | {"created_at": job["finished_at"]}


def _build_metadata(position: int) -> dict[str, str] | None:
    if position % 10 == 9:
        return None
    return {"team": TEAMS[position % len(TEAMS)], "study": f"study-{position // STUDY_JOBS}"}


def _get_max_steps(job: Row) -> int:
    steps: int = job["resolved_recipe"].max_steps
    return steps


def _add_evaluation_event(rows: Rows, job: Row, run: Row, step: int, outcome: Outcome) -> None:
    metrics = {f"valid_{name}": value for name, value in outcome.metrics.items()}
    data = {
        "step": step,
        "train_loss": 0.3,
        "valid_loss": 0.4,
        **metrics,
        "run_id": run["id"],
        "seed": run["seed"],
    }
    _add_event(
        rows,
        job,
        run,
        f"Step {step}/{_get_max_steps(job)}, seed {run['seed']}: validation loss=0.4000",
        data,
    )


def _add_event(
    rows: Rows, job: Row, run: Row | None, message: str, data: Row | None = None
) -> None:
    own = {
        "job_id": job["id"],
        "owner_id": job["owner_id"],
        "run_id": None if run is None else run["id"],
    }
    kind = {"type": "message" if data is None else "metrics", "level": "info", "data": data}
    rows[Event].append(own | kind | {"message": message, "created_at": job["created_at"]})
