"""Rows of made-up jobs: copies of a real job with other ids, states, times and results."""

import time
from collections.abc import Sequence

from benchmarks.database_rows import FAILURE, Row, Rows, Template, add_event, get_max_steps
from benchmarks.database_runs import DAY_S, RunRowFactory
from shared.db.events import JOB_CANCELLED_MESSAGE
from shared.db.tables import Checkpoint, Event, File, Job, Model, Run, WebhookDelivery
from shared.domain import ids
from shared.domain.naming import build_model_id
from shared.domain.states import ENDED_JOB_STATES, JobState, RunState

TEAMS = ("search", "support", "films", "legal")
STUDY_JOBS = 5
"""Number of jobs with the same ``study`` in their metadata."""
RUN_STATE_SHARES: dict[JobState, dict[RunState, float]] = {
    JobState.SUCCEEDED: {RunState.FAILED: 0.05, RunState.SUCCEEDED: 0.95},
    JobState.FAILED: {RunState.FAILED: 1.0},
    JobState.CANCELLED: {RunState.SUCCEEDED: 0.4, RunState.CANCELLED: 0.6},
    JobState.RUNNING: {RunState.SUCCEEDED: 0.6, RunState.RUNNING: 0.1, RunState.QUEUED: 0.3},
    JobState.PAUSED: {RunState.SUCCEEDED: 0.5, RunState.PAUSED: 0.5},
    JobState.QUEUED: {RunState.QUEUED: 1.0},
}
"""Shares of the states of a job's runs, by the job's state."""
NEWEST_JOB_STATES = (JobState.PAUSED, *[JobState.RUNNING] * 3, *[JobState.QUEUED] * 3)
TABLES = (Job, Run, Event, Checkpoint, File, Model, WebhookDelivery)
"""Tables that the rows belong to, in an order in which the rows can be inserted."""


class RowFactory:
    """Builds the rows of ``count`` jobs with ``runs_per_job`` runs each."""

    def __init__(self, template: Template, count: int, runs_per_job: int) -> None:
        self._template, self._count, self._runs_per_job = template, count, runs_per_job
        self._now = time.time()
        self._runs = RunRowFactory(template, self._now)
        self.jobs: list[tuple[str, JobState]] = []
        """Ids and states of the jobs built so far, oldest first."""

    @property
    def runs(self) -> list[tuple[str, str, RunState]]:
        """Ids of the job and of the run, and the run's state, of the runs built so far."""
        return self._runs.runs

    def build_rows(self, positions: range) -> Rows:
        """Build the rows of the jobs at these positions; position 0 is the oldest job."""
        rows: Rows = {table: [] for table in TABLES}
        for position in positions:
            self._add_job(rows, position)
        return rows

    def _add_job(self, rows: Rows, position: int) -> None:
        job = self._build_job(position)
        self.jobs.append((job["id"], job["status"]))
        rows[Job].append(job)
        message = (
            f"Created: {self._runs_per_job} runs of {get_max_steps(job)} steps with the recipe "
            "stabilized."
        )
        add_event(rows, job, None, message)
        runs = [
            self._runs.add_run(rows, job, index, state)
            for index, state in enumerate(self._list_run_states(job["status"]))
        ]
        if job["status"] != JobState.QUEUED:
            job["started_at"] = job["created_at"] + 60
        if job["status"] in ENDED_JOB_STATES:
            _finish_job(rows, job, runs, self._template.file)

    def _build_job(self, position: int) -> Row:
        return self._template.job | {
            "id": ids.make_job_id(),
            "status": self._choose_job_state(position),
            "created_at": self._now - 90 * DAY_S * (1 - position / self._count),
            "job_metadata": _build_metadata(position),
        }

    def _choose_job_state(self, position: int) -> JobState:
        """Return the job's state: the newest jobs are open, most of the others succeeded."""
        behind = self._count - position
        if behind <= len(NEWEST_JOB_STATES):
            return NEWEST_JOB_STATES[-behind]
        return {7: JobState.CANCELLED, 19: JobState.FAILED}.get(position % 25, JobState.SUCCEEDED)

    def _list_run_states(self, state: JobState) -> list[RunState]:
        shares, count = RUN_STATE_SHARES[state], self._runs_per_job
        last = next(reversed(shares))
        states = [
            run_state for run_state, share in shares.items() for _ in range(round(share * count))
        ]
        return [*states, *[last] * count][:count]


def _build_metadata(position: int) -> dict[str, str] | None:
    if position % 10 == 9:
        return None
    return {"team": TEAMS[position % len(TEAMS)], "study": f"study-{position // STUDY_JOBS}"}


def _finish_job(rows: Rows, job: Row, runs: Sequence[Row], training_file: Row) -> None:
    succeeded = [run for run in runs if run["status"] == RunState.SUCCEEDED]
    job["finished_at"] = job["created_at"] + 60 + 30 * len(runs)
    job["trained_tokens"] = 40_000 * len(succeeded)
    message = f"The job has {job['status']}."
    match job["status"]:
        case JobState.SUCCEEDED:
            _add_files(rows, job, training_file)
            _publish_model(rows, job, max(succeeded, key=lambda run: run["validation_score"]))
        case JobState.FAILED:
            job["error"] = FAILURE
        case JobState.CANCELLED:
            message = JOB_CANCELLED_MESSAGE
    add_event(rows, job, None, message)


def _add_files(rows: Rows, job: Row, training_file: Row) -> None:
    """Add the job's result files and one more training file."""
    own = {"purpose": "fine-tune-results", "validation": None, "created_at": job["finished_at"]}
    results = [
        training_file | own | {"id": ids.make_file_id(), "filename": filename}
        for filename in ("metrics.csv", "model.zip")
    ]
    job["result_files"] = [file["id"] for file in results]
    upload = {"id": ids.make_file_id(), "created_at": job["created_at"]}
    rows[File] += [*results, training_file | upload]


def _publish_model(rows: Rows, job: Row, best_run: Row) -> None:
    """Add the job's model, its checkpoint and the webhook that reports the job's end."""
    model_id = build_model_id(job["model"], job["owner_id"], None, job["id"])
    job["fine_tuned_model"] = model_id
    best_run |= {"fine_tuned_model": model_id, "artifacts": f"models/{job['id']}"}
    own = {"owner_id": job["owner_id"], "job_id": job["id"], "created_at": job["finished_at"]}
    rows[Model].append(
        own
        | {
            "id": model_id,
            "run_id": best_run["id"],
            "base_model": job["model"],
            "prefix": best_run["artifacts"],
            "labels": job["task"].label_names,
        }
    )
    rows[Checkpoint].append(own | _build_checkpoint(best_run))
    rows[WebhookDelivery].append(own | _build_delivery(job))


def _build_checkpoint(best_run: Row) -> Row:
    validation = best_run["result"].validation
    metrics = {f"valid_{name}": value for name, value in validation.metrics.items()}
    return {
        "id": ids.make_checkpoint_id(),
        "run_id": best_run["id"],
        "step": best_run["best_step"],
        "metrics": {"step": best_run["best_step"], "valid_loss": validation.loss, **metrics},
    }


def _build_delivery(job: Row) -> Row:
    return {
        "id": ids.make_event_id(),
        "type": "fine_tuning.job.succeeded",
        "payload": "{}",
        "status": "delivered",
        "attempts": 1,
        "delivered_at": job["finished_at"],
    }
