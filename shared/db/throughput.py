"""Training speed of a model on this installation, from which durations are estimated."""

from collections import defaultdict
from collections.abc import Collection
from statistics import median
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.tables import Job, Run
from shared.domain.states import Purpose, RunState

RECENT_JOBS = 20
RECENT_JOBS_OF_ALL_MODELS = 500


class Throughput(NamedTuple):
    seconds_per_row: float
    """Wall-clock seconds of a run, from claim to end, per row that passed through a training
    step.
    """
    runs: int
    """Number of runs in the median."""


def measure_throughput(
    session: Session, owner_id: str, model: str, precision: str, training_sha256: str | None
) -> Throughput | None:
    """Median of the latest jobs with this model and precision, on the same training file if
    there are any, because text lengths differ. None unless one of their runs ended without a
    pause, which would count as training time.
    """
    jobs = select(Job.id, Job.resolved_recipe, Job.dataset).where(
        Job.owner_id == owner_id, Job.model == model
    )
    batches: dict[str, int] = {}
    same_file: set[str] = set()
    for job_id, recipe, dataset in session.execute(jobs.order_by(Job.id.desc()).limit(RECENT_JOBS)):
        if recipe is not None and recipe.precision == precision:
            batches[job_id] = recipe.train_batch_size
            if dataset.training_sha256 == training_sha256:
                same_file.add(job_id)
    measured = [
        (job_id, seconds / batches[job_id]) for job_id, seconds in _measure_steps(session, batches)
    ]
    alike = [seconds for job_id, seconds in measured if job_id in same_file] or [
        seconds for _, seconds in measured
    ]
    return Throughput(median(alike), len(alike)) if alike else None


def measure_step_seconds(
    session: Session, owner_id: str, models: Collection[str]
) -> dict[str, float]:
    """Return the median wall-clock seconds of a training step by model, for those with runs among
    the latest jobs, whatever their data and batch size were.
    """
    jobs = (
        select(Job.id, Job.model)
        .where(Job.owner_id == owner_id, Job.model.in_(models))
        .order_by(Job.id.desc())
        .limit(RECENT_JOBS_OF_ALL_MODELS)
    )
    model_by_job = {row.id: row.model for row in session.execute(jobs)}
    seconds_by_model: dict[str, list[float]] = defaultdict(list)
    for job_id, seconds in _measure_steps(session, model_by_job):
        seconds_by_model[model_by_job[job_id]].append(seconds)
    return {model: median(seconds) for model, seconds in seconds_by_model.items()}


def _measure_steps(session: Session, job_ids: Collection[str]) -> list[tuple[str, float]]:
    """Return the job and the seconds per step of each main run that succeeded without a pause."""
    runs = select(Run.job_id, Run.started_at, Run.finished_at, Run.total_steps).where(
        Run.job_id.in_(job_ids),
        Run.purpose == Purpose.MAIN,
        Run.status == RunState.SUCCEEDED,
        Run.state.is_(None),
    )
    return [
        (job_id, (finished - started) / steps)
        for job_id, started, finished, steps in session.execute(runs)
        if started is not None and finished is not None
    ]
