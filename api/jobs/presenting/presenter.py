"""Build the response object of a job from its row."""

import math
import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.jobs.presenting.hyperparameters import build_hyperparameters
from api.jobs.schemas import JobObject, Progress, RunsSummary
from api.reports.summary import summarize_report
from shared.db.counts import StateCount, count_runs_by_state
from shared.db.queue_turns import count_runs_ahead
from shared.db.run_scores import ScoredRun, list_scored_runs
from shared.db.tables import Job
from shared.domain.states import ENDED_JOB_STATES, OPEN_RUN_STATES, JobState, Purpose, RunState
from shared.domain.stored import dump_stored
from shared.domain.task import SplitRequest, Task
from shared.recipe.value import ForeignRecipe
from shared.report.builder import build_report
from shared.report.cautions import select_plan_cautions


def get_presentation_time() -> int:
    """Return the time in whole unix seconds, so that an open job changes at most once a second."""
    return math.ceil(time.time())


def present_job(
    session: Session, job: Job, now: int, queue_position: int | None = None
) -> JobObject:
    """Return a single job, with its queue position and the numbers of its report so far.

    The position of a queued job is counted unless it is given.
    """
    if queue_position is None and job.status == JobState.QUEUED:
        queue_position = count_runs_ahead(session, job.owner_id, job.id)
    return build_job_object(
        job,
        count_runs_by_state(session, [job.id]),
        list_scored_runs(session, [job.id])[job.id],
        now,
        queue_position=queue_position,
    )


def present_jobs(session: Session, jobs: Sequence[Job]) -> list[JobObject]:
    """Return several jobs, read with one statement each for counts and scores."""
    job_ids = [job.id for job in jobs]
    counts, runs = count_runs_by_state(session, job_ids), list_scored_runs(session, job_ids)
    now = get_presentation_time()
    return [
        build_job_object(
            job, [count for count in counts if count.job_id == job.id], runs[job.id], now
        )
        for job in jobs
    ]


def build_job_object(
    job: Job,
    counts: Sequence[StateCount],
    runs: Sequence[ScoredRun],
    now: int,
    *,
    queue_position: int | None = None,
) -> JobObject:
    """Return the job; ``counts`` are its runs by state, ``runs`` its main runs, and ``now`` is in
    Unix seconds.
    """
    report = build_report(job, runs)
    hyperparameters = build_hyperparameters(job)
    progress = _build_progress(job, counts, now, queue_position)
    seconds_left = progress.seconds_remaining
    has_estimate = seconds_left is not None and job.status not in ENDED_JOB_STATES
    return JobObject(
        id=job.id,
        created_at=int(job.created_at),
        started_at=_to_unix_seconds(job.started_at),
        finished_at=_to_unix_seconds(job.finished_at),
        model=job.model,
        model_revision=job.request.model_revision,
        resolved_model_revision=None if job.hub_model is None else job.hub_model.commit,
        base_model_sha256=job.base_model_sha256,
        status=job.status,
        training_file=job.training_file,
        validation_file=job.validation_file,
        test_file=job.test_file,
        unlabelled_file=job.unlabelled_file,
        fine_tuned_model=job.fine_tuned_model,
        error=job.error,
        organization_id=job.owner_id,
        result_files=job.result_files,
        seed=job.seed,
        trained_tokens=job.trained_tokens,
        estimated_finish=now + (seconds_left or 0) if has_estimate else None,
        hyperparameters=hyperparameters,
        method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        metadata=job.job_metadata,
        integrations=[],
        suffix=job.suffix,
        task=job.task if isinstance(job.task, Task) else dump_stored(job.task),
        split=job.split if isinstance(job.split, SplitRequest) else dump_stored(job.split),
        recipe=dump_stored(job.request.recipe),
        resolved_recipe=(
            dump_stored(job.resolved_recipe)
            if isinstance(job.resolved_recipe, ForeignRecipe)
            else job.resolved_recipe
        ),
        pilots=None if job.pilots is None else dump_stored(job.pilots),
        early_discard=None if job.early_discard is None else dump_stored(job.early_discard),
        recipe_notes=job.recipe_notes,
        runs=dump_stored(job.request.runs),
        artifacts=dump_stored(job.request.artifacts),
        metric=job.metric,
        threads=job.threads,
        dataset=dump_stored(job.dataset),
        runs_summary=_summarize_runs(counts),
        progress=progress,
        stability=summarize_report(report),
        warnings=select_plan_cautions(report),
        webhook=None if job.webhook is None else {"host": job.webhook.host},
    )


def _to_unix_seconds(timestamp: float | None) -> int | None:
    return None if timestamp is None else int(timestamp)


def _summarize_runs(counts: Sequence[StateCount]) -> RunsSummary:
    main = [count for count in counts if count.purpose == Purpose.MAIN]
    by_state = {count.state: count.runs for count in main}
    degenerate = sum(count.degenerate for count in main)
    return RunsSummary(total=sum(by_state.values()), degenerate=degenerate, **by_state)


def _estimate_remaining_seconds(job: Job, now: int, done: int, total: int) -> int | None:
    if job.status in ENDED_JOB_STATES:
        return 0
    if job.started_at is None or done == 0 or job.status == JobState.PAUSED:
        return None
    return round((now - job.started_at) / done * (total - done))


def _build_progress(
    job: Job, counts: Sequence[StateCount], now: int, queue_position: int | None
) -> Progress:
    """Return the progress of pilots and main runs together; a stopped run has no steps left."""
    has_ended = job.status in ENDED_JOB_STATES
    unstopped_states = OPEN_RUN_STATES | {RunState.SUCCEEDED}
    trained = [count for count in counts if count.purpose != Purpose.BASELINES]
    done = sum(count.steps_done for count in trained)
    total = sum(
        count.steps_total if count.state in unstopped_states else count.steps_done
        for count in trained
    )
    return Progress(
        percent=100.0 if has_ended else round(100 * done / max(total, 1), 1),
        steps_done=done,
        steps_total=total,
        seconds_remaining=_estimate_remaining_seconds(job, now, done, total),
        queue_position=queue_position,
    )
