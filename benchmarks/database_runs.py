"""Rows of made-up runs, with their events."""

import random

from benchmarks.database_outcomes import Outcome, create_outcomes
from benchmarks.database_rows import (
    FAILURE,
    Row,
    Rows,
    Template,
    add_evaluation_event,
    add_event,
    get_max_steps,
)
from shared.db.tables import Run
from shared.domain import ids
from shared.domain.naming import format_run_title
from shared.domain.states import RunState

EVALUATIONS = 8
DAY_S = 86_400.0


class RunRowFactory:
    """Builds rows of runs, each with one of a fixed set of results."""

    def __init__(self, template: Template, now: float) -> None:
        self._template, self._now = template.run, now
        self._rng = random.Random(0)
        self._outcomes = create_outcomes(template.job, self._rng)
        self.runs: list[tuple[str, str, RunState]] = []
        """Ids of the job and of the run, and the run's state."""

    def add_run(self, rows: Rows, job: Row, index: int, state: RunState) -> Row:
        """Add the job's run with this index and its events."""
        own = {
            "id": ids.make_run_id(),
            "job_id": job["id"],
            "index": index,
            "status": state,
            "created_at": job["created_at"],
        }
        run = self._template | own | dict.fromkeys(("seed", "init_seed", "data_seed"), index)
        rows[Run].append(run)
        self.runs.append((job["id"], run["id"], state))
        if state != RunState.QUEUED:
            self._add_progress(rows, job, run)
        return run

    def _add_progress(self, rows: Rows, job: Row, run: Row) -> None:
        run |= _build_start_columns(job, run)
        title = format_run_title("main", run["index"], run["seed"])
        add_event(rows, job, run, f"{title} started.")
        outcome = self._rng.choice(self._outcomes)
        interval = get_max_steps(job) // EVALUATIONS
        for step in range(interval, run["step"] + 1, interval):
            add_evaluation_event(rows, job, run, step, outcome.metrics)
        run |= _build_end_columns(run, outcome)
        if run["status"] == RunState.RUNNING:
            run["lease_until"] = self._now + DAY_S
        if run["status"] == RunState.SUCCEEDED:
            add_event(rows, job, run, f"{title} finished: validation {outcome.score:.4f}.")


def _build_start_columns(job: Row, run: Row) -> Row:
    steps = get_max_steps(job)
    return {
        "started_at": job["created_at"] + 60 + 30 * run["index"],
        "attempt": 1,
        "fence": 1,
        "worker": "bench:0",
        "device": "cpu",
        "train_loss": 0.31,
        "step": steps if run["status"] == RunState.SUCCEEDED else steps // 2,
        "environment": {"torch": "2", "threads": "1"},
    }


def _build_end_columns(run: Row, outcome: Outcome) -> Row:
    """Build the columns of an ended run; none for a run that is still open."""
    finished = {"finished_at": run["started_at"] + 25}
    match run["status"]:
        case RunState.FAILED:
            return finished | {"error": FAILURE}
        case RunState.CANCELLED:
            return finished | {"cancel_requested": True}
        case RunState.SUCCEEDED:
            return finished | _build_result_columns(run, outcome)
        case _:
            return {}


def _build_result_columns(run: Row, outcome: Outcome) -> Row:
    return {
        "validation_score": outcome.score,
        "degenerate": outcome.degenerate,
        "result": outcome.result,
        "best_step": run["step"],
        "trained_tokens": 40_000,
        "weights_sha256": "0" * 64,
    }
