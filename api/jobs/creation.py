"""Create a job with its runs."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.idempotency import (
    compute_request_digest,
    find_concurrent_job,
    record_creation,
    run_once,
)
from api.jobs.planning.job_plan import plan_job
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import JobRequest
from api.jobs.schemas import JobObject
from api.jobs.service import get_job
from api.jobs.webhook_schemas import WebhookRequest
from api.models.uploaded import is_uploaded
from shared.datasets import InputFile
from shared.db.events import Events
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.owner_limits import OwnerUsage, lock_owner_usage
from shared.db.tables import Job, Run
from shared.db.webhook_secrets import seal_webhook
from shared.domain.errors import ServiceUnavailable
from shared.domain.job_facts import SealedWebhook, WebhookTarget
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.states import Purpose
from shared.domain.wording import choose_verb, format_count, join_words


def create_job(
    services: AppServices, request: JobRequest, identity: RequestIdentity, digest: str | None = None
) -> JobObject:
    """Store the job and its runs in one transaction, then notify the job queue.

    A repeated request returns the job that the first one created. ``digest`` identifies the
    request; by default it is computed from the body.
    """
    request_digest = digest or compute_request_digest(request)

    def plan_and_insert() -> str:
        job, runs = plan_job(services, request)
        job.request_sha256 = request_digest
        if request.webhook is not None:
            job.webhook = _seal_webhook(services, request.webhook)
        with services.database.write() as session:
            return _insert_once(services, session, job, runs, identity, request_digest)

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


def _insert_once(
    services: AppServices,
    session: Session,
    job: Job,
    runs: Sequence[Run],
    identity: RequestIdentity,
    digest: str,
) -> str:
    """Insert the job, unless a concurrent copy of the request has; return the job's ID."""
    concurrent = find_concurrent_job(session, job.owner_id, identity, digest)
    if concurrent is not None:
        return concurrent
    _require_room(lock_owner_usage(session, job.owner_id, services.settings), job, runs)
    _insert_job(session, job, runs)
    record_creation(session, job, identity, digest)
    return job.id


def _insert_job(session: Session, job: Job, runs: Sequence[Run]) -> None:
    _require_inputs(session, job)
    Jobs(session).add(job, runs)
    Events(session).add(job, _describe_creation(job, runs))
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


def _describe_creation(job: Job, runs: Sequence[Run]) -> str:
    main_count = sum(run.purpose == Purpose.MAIN for run in runs)
    waits = (
        f" They start once a worker has downloaded {job.hub_model.title}."
        if job.awaits_model and job.hub_model is not None
        else ""
    )
    if job.resolved_recipe is not None:
        recipe = job.resolved_recipe
        return (
            f"Created: {format_count(main_count, 'run')} of "
            f"{format_count(recipe.max_steps, 'step')} with the recipe {recipe.preset}.{waits}"
        )
    pilots = [run for run in runs if run.purpose == Purpose.PILOT]
    assert job.pilots is not None, "a job without a recipe has pilots"
    automatic = join_words(job.pilots.automatic)
    return (
        f"Created: {format_count(main_count, 'run')} with the recipe "
        f"{job.request.recipe.preset}. First, {format_count(len(pilots), 'pilot')} of "
        f"{format_count(pilots[0].total_steps, 'step')} "
        f"{choose_verb(len(pilots), 'begins', 'begin')} the search for {automatic}.{waits}"
    )
