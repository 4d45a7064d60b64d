"""Build the request of a new job from an earlier job's request and some changes."""

import json

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.dependencies import AppServices
from api.jobs.idempotency import compute_request_digest
from api.jobs.request_schemas import CloneRequest, JobRequest
from shared.db.jobs import Jobs
from shared.db.tables import Job
from shared.domain.stored import dump_stored

_COLUMN_FIELDS = (
    "training_file",
    "validation_file",
    "test_file",
    "model",
    "seed",
    "suffix",
)


def build_clone_request(services: AppServices, job_id: str, changes: CloneRequest) -> JobRequest:
    """Return the earlier job's request, with each given field of ``changes`` replaced.

    Raises JobNotFound, and RequestValidationError if the result is not a valid request.
    """
    with services.database.read() as session:
        request = rebuild_request(Jobs(session).get(job_id, services.owner_id))
    changed = changes.model_dump(mode="json", exclude_unset=True)
    if changed.get("training_file", "") is None:
        del changed["training_file"]
    try:
        return JobRequest.model_validate_json(json.dumps(request | changed))
    except ValidationError as error:
        raise RequestValidationError(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        ) from None


def rebuild_request(job: Job) -> dict[str, object]:
    """Return the job's request as JSON.

    Settings that were left to the defaults are left out again; a data set of the hub becomes the
    ID of the downloaded file.
    """
    fields = {name: getattr(job, name) for name in _COLUMN_FIELDS} | {
        "webhook": None if job.webhook is None else dump_stored(job.webhook),
        "metadata": job.job_metadata,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return dump_stored(job.request) | given


def compute_clone_digest(job_id: str, request: JobRequest) -> str:
    """Return a digest that differs from the original job's, even if both requests are equal."""
    return compute_request_digest(request, f"clone {job_id} ")
