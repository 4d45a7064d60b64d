"""Creating, reading and cancelling jobs."""

import hashlib
import time
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.idempotency import RequestIdentity
from api.jobs.planning.job_plan import plan_job
from api.jobs.presenting.presenter import build_job_object, get_presentation_time, present_job
from api.jobs.schemas import JobObject, JobRequest
from api.reports.service import build_stability_summary
from shared.datasets import InputFile
from shared.db.clock import db_now
from shared.db.counts import state_counts
from shared.db.events import JOB_CANCELLED, Events
from shared.db.files import Files, hold_digest
from shared.db.jobs import JOB_ADVANCE, Jobs
from shared.db.models import Checkpoints, Models
from shared.db.pagination import Page
from shared.db.run_requests import RunWishes, lock_runs
from shared.db.run_scores import scored_runs
from shared.db.session import ring_after_commit
from shared.db.tables import Job, Run
from shared.domain.errors import IdempotencyKeyReused, JobAlreadyEnded
from shared.domain.naming import FINE_TUNED
from shared.domain.states import JOB_ENDED, Purpose

# a running training is stopped within two seconds; then the answer can already say "cancelled"
CANCEL_TIMEOUT_S = 2.5
POLL_INTERVAL_S = 0.1
RESEND_WINDOW_S = 15 * 60


def create_job(
    services: AppServices,
    request: JobRequest,
    identity: RequestIdentity,
    *,
    digest: str | None = None,
) -> JobObject:
    """Store the job and its runs in one transaction, then ring; a re-sent creation answers with
    the job already made.

    It is known by its key, or, re-sent by a client that sends none, by its body for a quarter
    of an hour; ``digest`` stands for the body where the request was made from another.
    """
    digest = digest or compute_request_digest(request)
    known = find_existing_job(services, identity, digest)
    if known is not None:
        return known
    job, runs = plan_job(services, request)
    job.request_sha256 = digest
    try:
        with services.database.write() as session:
            other = _find_concurrent_job(session, services.owner_id, identity, digest)
            if other is None:
                _insert_job(session, job, runs)
                _record_request(session, job, identity, digest)
    except IntegrityError:  # the same key, at the same moment: the other request has won
        known = find_existing_job(services, identity, digest)
        if known is None:
            raise
        return known
    return get_job(services, other or job.id)


def _find_concurrent_job(
    session: Session, owner_id: str, identity: RequestIdentity, digest: str
) -> str | None:
    """The job that another sending of the same request has made while this one was understood;
    until the transaction ends there is no third. A client that gave up waiting sends again
    while the first request is still here, and either may be done before the other.
    """
    if identity.key is not None:
        return None  # the row of the key decides
    hold_digest(session, digest)
    jobs = Jobs(session)
    if identity.is_resent:
        return jobs.made_lately(owner_id, digest, RESEND_WINDOW_S)
    now = session.scalars(
        select(db_now())
    ).one()  # the first statement waits for its turn: only then time is taken
    return jobs.made_by_resent(
        owner_id, digest, since=now - (time.monotonic() - identity.arrived_at)
    )


def _record_request(session: Session, job: Job, identity: RequestIdentity, digest: str) -> None:
    session.flush()
    if identity.key is not None:
        Jobs(session).remember_key(job.owner_id, identity.key, digest, job.id)
    elif identity.is_resent:
        Jobs(session).remember_resent(job.owner_id, digest, job.id)


def _insert_job(session: Session, job: Job, runs: Sequence[Run]) -> None:
    for param in InputFile:
        file_id: str | None = getattr(job, param)
        if file_id is not None:  # it may have been deleted since it was read
            Files(session, job.owner_id).get(file_id, param=param, for_job=True)
    if job.model.startswith(FINE_TUNED):  # and so may this
        Models(session, job.owner_id).for_job(job.model)
    Jobs(session).add(job, runs)
    Events(session).add(job, _describe_creation(job, runs))
    for warning in job.warnings:
        Events(session).add(job, warning["message"], level="warn")


def compute_request_digest(request: JobRequest, prefix: str = "") -> str:
    return hashlib.sha256(
        f"{prefix}{request.model_dump_json(exclude={'dry_run'})}".encode()
    ).hexdigest()


def _describe_creation(job: Job, runs: Sequence[Run]) -> str:
    main = sum(run.purpose == Purpose.MAIN for run in runs)
    if job.resolved_recipe is None:
        trials = [run for run in runs if run.purpose == Purpose.PILOT]
        return (
            f"Created: {main} runs with the recipe "
            f"{job.request.get('recipe', {}).get('preset', 'stabilized')}; before them "
            f"{len(trials)} pilots of {trials[0].total_steps} steps find out "
            f"{' and '.join((job.pilots or {})['automatic'])}."
        )
    recipe = job.resolved_recipe
    return (
        f"Created: {main} runs of {recipe['max_steps']} steps with the recipe {recipe['preset']}."
    )


def find_existing_job(
    services: AppServices, identity: RequestIdentity, digest: str
) -> JobObject | None:
    """Raises IdempotencyKeyReused."""
    if identity.key is None:
        return _find_recent_job(services, digest) if identity.is_resent else None
    with services.database.read() as session:
        made = Jobs(session).created_with(services.owner_id, identity.key)
    if made is None:
        return None
    if made.request_sha256 != digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came before with another request.", param="Idempotency-Key"
        )
    return get_job(services, made.job_id)


def _find_recent_job(services: AppServices, digest: str) -> JobObject | None:
    with services.database.read() as session:
        job_id = Jobs(session).made_lately(services.owner_id, digest, RESEND_WINDOW_S)
    return None if job_id is None else get_job(services, job_id)


def get_job(services: AppServices, job_id: str) -> JobObject:
    with services.database.read() as session:
        return present_job(
            session, Jobs(session).get(job_id, services.owner_id), get_presentation_time()
        )


def list_jobs(
    services: AppServices, page: Page, metadata: dict[str, str] | None
) -> tuple[Sequence[JobObject], bool]:
    with services.database.read() as session:
        jobs, more = Jobs(session).page(services.owner_id, page, metadata)
        ids = [job.id for job in jobs]
        counts, runs = state_counts(session, ids), scored_runs(session, ids)
    now = get_presentation_time()
    views = []
    for job in jobs:
        mine = [count for count in counts if count.job_id == job.id]
        views.append(
            build_job_object(job, mine, now, stability=build_stability_summary(job, runs[job.id]))
        )
    return views, more


def cancel_job(services: AppServices, job_id: str) -> JobObject:
    """Wish for the end and wait a moment for it; the state says ``cancelled`` only once nothing
    trains any more.
    """
    with services.database.write() as session:
        jobs, events = Jobs(session), Events(session)
        job = jobs.get(job_id, services.owner_id)
        lock_runs(session, job_id)
        if not jobs.wish_cancel(job):
            session.refresh(job)
            raise JobAlreadyEnded(
                f"Job {job_id} has already ended: it is {job.status}.", param="fine_tuning_job_id"
            )
        RunWishes(session).cancel(job_id)
        events.add(job, "Cancelling was asked for.", level="warn")
        if jobs.end_cancelled(job_id):  # nothing of it was training: no worker is needed to end it
            earlier = Models(session, services.owner_id).of_job(
                job_id
            )  # of a job that was extended
            Checkpoints(session).keep_only(job_id, [model.run_id for model in earlier])
            events.add(job, JOB_CANCELLED, level="warn")
        else:
            ring_after_commit(session, JOB_ADVANCE, job_id)
    deadline = time.monotonic() + CANCEL_TIMEOUT_S
    while True:
        view = get_job(services, job_id)
        if view.status in JOB_ENDED or time.monotonic() > deadline:
            return view
        time.sleep(POLL_INTERVAL_S)
