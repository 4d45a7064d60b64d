"""Usage of the installation in a period, summed by the database."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.db.tables import File, Job, Run


class ModelUsage(NamedTuple):
    """Runs from one base model."""

    model: str
    jobs: int
    runs: int
    trained_tokens: int
    seconds: float
    """Seconds from the last start of each run to its end: the time that a slot was busy."""


class JobUsage(NamedTuple):
    """Runs of one job."""

    job_id: str
    suffix: str | None
    model: str
    runs: int
    steps: int
    """Optimizer steps of these runs."""
    trained_tokens: int
    seconds: float
    """As in ``ModelUsage``."""


class StorageUsage(NamedTuple):
    files: int
    bytes: int


def list_model_usage(session: Session, owner_id: str, start: float, end: float) -> list[ModelUsage]:
    """Sum the runs of every purpose and state that ended in [``start``, ``end``) (unix
    seconds), by model.
    """
    # grouped by job first: a few sums are joined instead of many runs
    ended = (
        select(
            Run.job_id,
            func.count().label("runs"),
            func.sum(Run.trained_tokens).label("tokens"),
            func.sum(Run.finished_at - Run.started_at).label(
                "seconds"
            ),  # null for a run that was cancelled in the queue
        )
        .where(Run.owner_id == owner_id, Run.finished_at >= start, Run.finished_at < end)
        .group_by(Run.job_id)
        .subquery()
    )
    sums = (func.sum(ended.c.runs), func.sum(ended.c.tokens), func.sum(ended.c.seconds))
    query = select(Job.model, func.count(), *sums).join(ended, Job.id == ended.c.job_id)
    return [
        ModelUsage(model, jobs, int(runs), int(trained or 0), float(spent or 0.0))
        for model, jobs, runs, trained, spent in session.execute(
            query.group_by(Job.model).order_by(Job.model)
        )
    ]


def list_job_usage(
    session: Session, owner_id: str, start: float, end: float, limit: int
) -> list[JobUsage]:
    """Sum the runs that ended in [``start``, ``end``) (unix seconds) by job, those that took the
    most time first.
    """
    seconds = func.coalesce(func.sum(Run.finished_at - Run.started_at), 0.0)
    query = (
        select(
            Job.id,
            Job.suffix,
            Job.model,
            func.count(),
            func.sum(Run.step),
            func.sum(Run.trained_tokens),
            seconds,
        )
        .join(Run, Run.job_id == Job.id)
        .where(Run.owner_id == owner_id, Run.finished_at >= start, Run.finished_at < end)
        .group_by(Job.id, Job.suffix, Job.model)
        .order_by(seconds.desc(), Job.id)
        .limit(limit)
    )
    return [
        JobUsage(
            job_id, suffix, model, runs, int(steps or 0), int(tokens or 0), float(spent or 0.0)
        )
        for job_id, suffix, model, runs, steps, tokens, spent in session.execute(query)
    ]


def get_storage_usage(session: Session, owner_id: str) -> StorageUsage:
    """Current file sizes; equal bytes under two ids count twice."""
    query = select(func.count(), func.coalesce(func.sum(File.bytes), 0)).where(
        File.owner_id == owner_id
    )
    files, size = session.execute(query).one()
    return StorageUsage(int(files), int(size))
