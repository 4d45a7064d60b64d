"""A job's row as the object on the wire."""

import math
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from api.jobs.schemas import JobObject, Progress, RunsSummary, Warning
from api.reports.service import build_stability_summary
from shared.db.counts import StateCount, queued_before, state_counts
from shared.db.run_scores import scored_runs
from shared.db.tables import Job
from shared.domain.states import JOB_ENDED, RUN_OPEN, JobState, Purpose, RunState


def get_presentation_time() -> int:
    """Unix seconds, whole ones: what is told of an open job changes with the clock once a
    second at the most.
    """
    return math.ceil(time.time())


def present_job(session: Session, job: Job, now: int) -> JobObject:
    """A job by itself, with its place in the queue and the numbers of its report so far."""
    ahead = queued_before(session, job.id) if job.status == JobState.QUEUED else None
    stability = build_stability_summary(job, scored_runs(session, [job.id])[job.id])
    return build_job_object(
        job, state_counts(session, [job.id]), now, queue_position=ahead, stability=stability
    )


def build_job_object(
    job: Job,
    counts: Sequence[StateCount],
    now: int,
    *,
    queue_position: int | None = None,
    stability: dict[str, Any] | None = None,
) -> JobObject:
    """``counts`` as ``state_counts`` gives them for this job; ``now`` in unix seconds."""
    hyperparameters = _build_hyperparameters(job)
    progress = _build_progress(job, counts, now, queue_position)
    left = progress.seconds_remaining
    return JobObject(
        id=job.id,
        created_at=int(job.created_at),
        started_at=_to_unix_seconds(job.started_at),
        finished_at=_to_unix_seconds(job.finished_at),
        model=job.model,
        status=job.status,
        training_file=job.training_file,
        validation_file=job.validation_file,
        test_file=job.test_file,
        fine_tuned_model=job.fine_tuned_model,
        error=job.error,
        organization_id=job.owner_id,
        result_files=job.result_files,
        seed=job.seed,
        trained_tokens=job.trained_tokens,
        estimated_finish=now + left if left is not None and job.status not in JOB_ENDED else None,
        hyperparameters=hyperparameters,
        method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        metadata=job.job_metadata,
        integrations=[],
        suffix=job.suffix,
        task=job.task,
        split=job.split,
        recipe=job.request.get("recipe", {}),
        resolved_recipe=job.resolved_recipe,
        pilots=job.pilots,
        early_discard=job.early_discard,
        recipe_notes=job.recipe_notes,
        runs=job.request.get("runs", {}),
        artifacts=job.request.get("artifacts", {}),
        metric=job.metric,
        threads=job.threads,
        dataset=job.dataset,
        runs_summary=_summarize_runs(counts),
        progress=progress,
        stability=stability,
        warnings=[Warning(**warning) for warning in job.warnings],
        webhook=None if job.webhook is None else {"url": job.webhook["url"]},
    )


def _to_unix_seconds(timestamp: float | None) -> int | None:
    return None if timestamp is None else int(timestamp)


def _summarize_runs(counts: Sequence[StateCount]) -> RunsSummary:
    main = [count for count in counts if count.purpose == Purpose.MAIN]
    by_state = {count.state: count.runs for count in main}
    degenerate = sum(count.degenerate for count in main)
    return RunsSummary(total=sum(by_state.values()), degenerate=degenerate, **by_state)


def _build_progress(
    job: Job, counts: Sequence[StateCount], now: int, queue_position: int | None
) -> Progress:
    """Over pilots and main runs alike; a run that was stopped has no more steps to go."""
    ended = job.status in JOB_ENDED
    to_the_end = RUN_OPEN | {RunState.SUCCEEDED}
    trained = [count for count in counts if count.purpose != Purpose.BASELINES]
    done = sum(count.steps_done for count in trained)
    total = sum(
        count.steps_total if count.state in to_the_end else count.steps_done for count in trained
    )
    remaining = None
    if ended:
        remaining = 0
    elif job.started_at is not None and done > 0 and job.status != JobState.PAUSED:
        remaining = round((now - job.started_at) / done * (total - done))
    return Progress(
        percent=100.0 if ended else round(100 * done / max(total, 1), 1),
        steps_done=done,
        steps_total=total,
        seconds_remaining=remaining,
        queue_position=queue_position,
    )


def _build_hyperparameters(job: Job) -> dict[str, Any]:
    """The hosted API's three keys: as asked while pilots find the recipe out, then filled from
    it; epochs rounded up to the whole number that shape wants.
    """
    recipe = job.resolved_recipe
    if recipe is None:
        return {
            name: _get_requested_value(job, name)
            for name in ("n_epochs", "batch_size", "learning_rate_multiplier")
        }
    batch_size, steps = recipe["train_batch_size"], recipe["max_steps"]
    per_epoch = -(-job.dataset["rows"]["train"] // batch_size)
    multiplier = _get_requested_value(job, "learning_rate_multiplier")
    return {
        "n_epochs": max(1, -(-steps // per_epoch)),
        "batch_size": batch_size,
        "learning_rate_multiplier": 1.0 if multiplier == "auto" else float(multiplier),
    }


def _get_requested_value(job: Job, name: str) -> Any:
    by_method = (job.request.get("method") or {}).get("supervised", {}).get("hyperparameters", {})
    given = [of.get(name, "auto") for of in (by_method, job.request.get("hyperparameters") or {})]
    return next((value for value in given if value != "auto"), "auto")
