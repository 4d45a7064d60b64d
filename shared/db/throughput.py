"""Training speed of a model on this installation, from which durations are estimated."""

from statistics import median
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.tables import Job, Run
from shared.domain.states import Purpose, RunState

RECENT_JOBS = 20


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
    runs = select(Run.job_id, Run.started_at, Run.finished_at, Run.total_steps).where(
        Run.job_id.in_(batches),
        Run.purpose == Purpose.MAIN,
        Run.status == RunState.SUCCEEDED,
        Run.state.is_(None),
    )
    measured = [
        (job_id, (finished - started) / (steps * batches[job_id]))
        for job_id, started, finished, steps in session.execute(runs)
        if started is not None and finished is not None
    ]
    alike = [seconds for job_id, seconds in measured if job_id in same_file] or [
        seconds for _, seconds in measured
    ]
    return Throughput(median(alike), len(alike)) if alike else None
