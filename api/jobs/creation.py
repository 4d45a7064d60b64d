"""Create a job with its runs."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.creation_events import describe_creation, describe_wait
from api.jobs.idempotency import (
    compute_request_digest,
    find_concurrent_job,
    record_creation,
    run_once,
)
from api.jobs.planning.job_plan import plan_from_model, prepare_request
from api.jobs.planning.start_model import resolve_start_model
from api.jobs.planning.unresolved_plan import plan_without_model
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import JobRequest
from api.jobs.schemas import JobObject
from api.jobs.service import get_job
from api.jobs.webhook_schemas import WebhookRequest
from api.models.uploaded import is_uploaded
from shared.datasets import InputFile
from shared.db.clock import read_db_time
from shared.db.events import Events
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.owner_limits import OwnerUsage, lock_owner_usage
from shared.db.tables import Job, Run
from shared.db.webhook_secrets import seal_webhook
from shared.domain.errors import HubNotReachable, ServiceUnavailable
from shared.domain.job_facts import SealedWebhook, WebhookTarget
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.states import Purpose
from shared.encoders.hub.retries import plan_retry


def create_job(
    services: AppServices, request: JobRequest, identity: RequestIdentity, digest: str | None = None
) -> JobObject:
    """Store the job and its runs in one transaction, then notify the job queue.

    A repeated request returns the job that the first one created. ``digest`` identifies the
    request; by default it is computed from the body. Where the hub does not answer, the job waits
    for it (``api.jobs.model_resolver``).
    """
    request_digest = digest or compute_request_digest(request)

    def plan_and_insert() -> str:
        planned = _plan_or_wait(services, request)
        planned.job.request_sha256 = request_digest
        if request.webhook is not None:
            planned.job.webhook = _seal_webhook(services, request.webhook)
        with services.database.write() as session:
            return _insert_once(services, session, planned, identity, request_digest)

    return get_job(services, run_once(services, identity, request_digest, plan_and_insert))


def _seal_webhook(services: AppServices, webhook: WebhookRequest) -> SealedWebhook:
    """Return the webhook encrypted. Raises ServiceUnavailable without a key."""
    try:
        return seal_webhook(
            services.secret_box, WebhookTarget(url=webhook.url, secret=webhook.secret)
        )
    except OSError as error:
        raise ServiceUnavailable(
            "The webhook's secret cannot be stored, because the service cannot read or make its "
            f"file secret.key ({error.strerror}). Set EVENKEEL_SECRET_KEY, or make its home "
            "writable."
        ) from error


class _PlannedJob(NamedTuple):
    job: Job
    runs: Sequence[Run]
    outage: HubNotReachable | None = None
    """Why the model could not be resolved; None if it was."""
    retry_delay: float = 0.0
    """Seconds until the hub is asked again."""


def _plan_or_wait(services: AppServices, request: JobRequest) -> _PlannedJob:
    """Plan the job, without its model if the hub does not answer. Raises what planning raises."""
    request = prepare_request(services, request)
    try:
        start = resolve_start_model(services, request.model, request.model_revision)
    except HubNotReachable as error:
        delay = plan_retry(1, error, services.settings.hub_retry_seconds)
        if delay is None:
            raise
        return _PlannedJob(*plan_without_model(services, request), error, delay)
    return _PlannedJob(*plan_from_model(services, request, start))


def _insert_once(
    services: AppServices,
    session: Session,
    planned: _PlannedJob,
    identity: RequestIdentity,
    digest: str,
) -> str:
    """Insert the job, unless a concurrent copy of the request has; return the job's ID."""
    job = planned.job
    concurrent = find_concurrent_job(session, job.owner_id, identity, digest)
    if concurrent is not None:
        return concurrent
    _require_room(lock_owner_usage(session, job.owner_id, services.settings), job, planned.runs)
    _insert_job(session, planned)
    record_creation(session, job, identity, digest)
    return job.id


def _insert_job(session: Session, planned: _PlannedJob) -> None:
    job = planned.job
    _require_inputs(session, job)
    if planned.outage is not None:  # the creation was the first attempt
        job.publish_attempts = 1
        job.lease_until = read_db_time(session) + planned.retry_delay
    Jobs(session).add(job, planned.runs)
    Events(session).add(job, describe_creation(job, planned.runs))
    if planned.outage is not None:
        wait = describe_wait(planned.outage, planned.retry_delay)
        Events(session).add(job, wait, level="warn")
    for warning in job.warnings:
        Events(session).add(job, warning.message, level="warn")


def _require_room(usage: OwnerUsage, job: Job, runs: Sequence[Run]) -> None:
    """Raise OpenJobsLimit, JobRunsLimit or QueuedRunsLimit."""
    usage.require_room_for_job()
    main_count = sum(run.purpose == Purpose.MAIN for run in runs)
    usage.require_runs_within_job(job.id, main_count, param="runs")
    usage.require_room_for_runs(len(runs))


def _require_inputs(session: Session, job: Job) -> None:
    """Raise if a file or the model was deleted since the job was planned; note the digest of
    fine-tuned weights, which another job of the same name may replace later, and of uploaded ones.
    """
    for param in InputFile:
        file_id: str | None = getattr(job, param)
        if file_id is not None:
            Files(session, job.owner_id).get(file_id, param=param, for_job=True)
    if job.model.startswith(FINE_TUNED_PREFIX):
        models = Models(session, job.owner_id)
        base = models.get_for_new_job(job.model)
        job.base_weights_sha256 = models.get_weights_sha256(base)
    elif is_uploaded(job.model):
        _, uploaded = Files(session, job.owner_id).get_model(job.model, for_job=True)
        job.base_weights_sha256 = uploaded.weights_sha256
