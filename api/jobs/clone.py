"""Build the request of a new job from an earlier job's request and some changes."""

import json

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.dependencies import AppServices
from api.jobs.idempotency import compute_request_digest
from api.jobs.request_schemas import CloneRequest, JobRequest
from shared.db.jobs import Jobs
from shared.db.tables import Job
from shared.db.webhook_secrets import unseal_webhook
from shared.domain.errors import InvalidValue, ServiceUnavailable
from shared.domain.job_facts import SealedWebhook, WebhookTarget
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.stored import dump_stored
from shared.infra.secret_box import SecretUnreadable

_COLUMN_FIELDS = (
    "training_file",
    "validation_file",
    "test_file",
    "unlabelled_file",
    "model",
    "seed",
    "suffix",
)


def build_clone_request(services: AppServices, job_id: str, changes: CloneRequest) -> JobRequest:
    """Return the earlier job's request, with each given field of ``changes`` replaced.

    Raises JobNotFound, and RequestValidationError if the result is not a valid request.
    """
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
    request = rebuild_request(job)
    if job.webhook is not None and "webhook" not in changes.model_fields_set:
        request["webhook"] = _unseal_webhook(services, job.webhook)
    changed = changes.model_dump(mode="json", exclude_unset=True)
    if changed.get("model", request["model"]) != request["model"]:
        request.pop("model_revision", None)  # it is the revision of the other model
    if changed.get("training_file", "") is None:
        del changed["training_file"]
    body = request | changed
    try:
        return JobRequest.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise RequestValidationError(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()],
            body=body,
        ) from None


def _unseal_webhook(
    services: AppServices, webhook: SealedWebhook | WebhookTarget
) -> dict[str, object]:
    try:
        return dump_stored(unseal_webhook(services.secret_box, webhook))
    except SecretUnreadable:
        raise InvalidValue(
            "The job's webhook was encrypted with a key that this service no longer has. Give the "
            "webhook again, or null for none.",
            param="webhook",
        ) from None
    except OSError as error:
        raise ServiceUnavailable(
            "The job's webhook cannot be read, because the service cannot read or make its file "
            f"secret.key ({error.strerror}). Set EVENKEEL_SECRET_KEY, or give the webhook again."
        ) from error


def rebuild_request(job: Job) -> dict[str, object]:
    """Return the job's request as JSON, without its webhook.

    Settings that were left to the defaults are left out again; a data set of the hub becomes the
    ID of the downloaded file, and the revision of a model of the hub the commit it named.
    """
    fields = {name: getattr(job, name) for name in _COLUMN_FIELDS} | {
        "metadata": job.job_metadata,
    }
    if job.hub_model is not None and not job.model.startswith(FINE_TUNED_PREFIX):
        fields["model_revision"] = job.hub_model.commit
    given = {name: value for name, value in fields.items() if value is not None}
    return dump_stored(job.request) | given


def compute_clone_digest(job_id: str, request: JobRequest) -> str:
    """Return a digest that differs from the original job's, even if both requests are equal."""
    return compute_request_digest(request, f"clone {job_id} ")
