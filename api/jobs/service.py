"""Read, list and cancel jobs."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.blob_deletion import delete_blobs
from api.dependencies import AppServices
from api.jobs.event_schemas import EventObject
from api.jobs.presenting.presenter import get_presentation_time, present_job, present_jobs
from api.jobs.schemas import JobObject
from api.jobs.waiting import wait_while
from shared.db.events import JOB_CANCELLED_MESSAGE, Events
from shared.db.job_search import JobSearch, find_jobs, list_models_of_jobs
from shared.db.jobs import JOB_ADVANCE, Jobs
from shared.db.models import Checkpoints, Models
from shared.db.pagination import PageRequest
from shared.db.run_requests import RunRequests, lock_runs
from shared.db.runs import Runs
from shared.db.session import notify_after_commit
from shared.db.tables import Job
from shared.domain.errors import JobAlreadyEnded
from shared.domain.states import OPEN_JOB_STATES
from shared.infra.storage_keys import build_artifacts_prefix


class _UnusedArtifacts(NamedTuple):
    """The artifacts of a cancelled job."""

    prefixes: list[str]
    kept_prefixes: set[str]
    """Those of the models that an earlier end of the job published."""


def get_job(services: AppServices, job_id: str) -> JobObject:
    """Return the job. Raises JobNotFound."""
    with services.database.read() as session:
        return present_job(
            session, Jobs(session).get(job_id, services.owner_id), get_presentation_time()
        )


def list_jobs(
    services: AppServices, page: PageRequest, metadata: dict[str, str] | None
) -> tuple[Sequence[JobObject], bool]:
    """Return a page of jobs, and whether more follow; ``metadata`` None: jobs without any."""
    with services.database.read() as session:
        jobs, has_more = Jobs(session).list_page(services.owner_id, page, metadata)
        return present_jobs(session, jobs), has_more


def search_jobs(
    services: AppServices, search: JobSearch, *, offset: int, limit: int
) -> tuple[Sequence[JobObject], int]:
    """Return some of the jobs that the search finds, and how many it finds in all."""
    with services.database.read() as session:
        jobs, total = find_jobs(session, services.owner_id, search, offset=offset, limit=limit)
        return present_jobs(session, jobs), total


def list_used_models(services: AppServices) -> Sequence[str]:
    """List the models of the caller's jobs, by name."""
    with services.database.read() as session:
        return list_models_of_jobs(session, services.owner_id)


def list_events(
    services: AppServices, job_id: str, page: PageRequest
) -> tuple[list[EventObject], bool]:
    """Return a page of the job's events, and whether more follow. Raises JobNotFound."""
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        events, has_more = Events(session).list_page(job_id, page)
    return [EventObject.from_row(event) for event in events], has_more


def cancel_job(services: AppServices, job_id: str) -> JobObject:
    """Request the cancellation and wait briefly for it.

    The state becomes ``cancelled`` once no run is training. Raises JobNotFound and
    JobAlreadyEnded.
    """

    def cancel_runs() -> _UnusedArtifacts:
        with services.database.write() as session:
            job = Jobs(session).get(job_id, services.owner_id)
            lock_runs(session, job_id)
            _request_cancel(session, job)
            RunRequests(session).cancel_runs(job_id)
            Events(session).add(job, "Cancellation was requested.", level="warn")
            return _finish_cancellation(session, job)

    unused = services.disk_reserve.run_deletion(cancel_runs)
    delete_blobs(services, unused.prefixes, kept_prefixes=unused.kept_prefixes)
    wait_while(lambda: _is_open(services, job_id))
    return get_job(services, job_id)


def _request_cancel(session: Session, job: Job) -> None:
    if not Jobs(session).request_cancel(job):
        session.refresh(job)
        raise JobAlreadyEnded(
            f"Job {job.id} has already ended; its status is {job.status}.",
            param="fine_tuning_job_id",
        )


def _finish_cancellation(session: Session, job: Job) -> _UnusedArtifacts:
    """End the job if no run is training; else notify a worker, which ends it later.

    Return what is to be deleted after the commit.
    """
    if not Jobs(session).finish_cancelled_job(job.id):
        notify_after_commit(session, JOB_ADVANCE, job.id)
        return _UnusedArtifacts([], set())
    published = Models(session, job.owner_id).list_by_job(job.id)  # if it was extended
    Checkpoints(session).keep_only(job.id, [model.run_id for model in published])
    Events(session).add(job, JOB_CANCELLED_MESSAGE, level="warn")
    run_ids = Runs(session).list_ids_by_job(job.id)
    return _UnusedArtifacts(
        [build_artifacts_prefix(run_id) for run_id in run_ids],
        {model.prefix for model in published},
    )


def _is_open(services: AppServices, job_id: str) -> bool:
    with services.database.read() as session:
        return Jobs(session).get(job_id, services.owner_id).status in OPEN_JOB_STATES
