"""A new job from the request of an earlier one, with what should differ."""

import json
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.dependencies import AppServices
from api.jobs.schemas import CloneRequest, JobRequest
from api.jobs.service import compute_request_digest
from shared.db.jobs import Jobs
from shared.db.tables import Job

_ROW_FIELDS = (
    "training_file",
    "validation_file",
    "test_file",
    "model",
    "seed",
    "suffix",
    "webhook",
)


def build_clone_request(services: AppServices, job_id: str, changes: CloneRequest) -> JobRequest:
    """The earlier job's request as it was made, each field of ``changes`` in the place of its own.

    Raises JobNotFound, and RequestValidationError where the two do not go together.
    """
    with services.database.read() as session:
        asked = rebuild_request(Jobs(session).get(job_id, services.owner_id))
    given = changes.model_dump(mode="json", exclude_unset=True)
    asked |= {
        name: value
        for name, value in given.items()
        if not (name == "training_file" and value is None)
    }
    try:
        return JobRequest.model_validate_json(json.dumps(asked))
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        ) from None


def rebuild_request(job: Job) -> dict[str, Any]:
    """As JSON; what was left to the defaults is left to them again, and a data set of the hub
    is the file that it was.
    """
    plain = {name: getattr(job, name) for name in _ROW_FIELDS} | {"metadata": job.job_metadata}
    return job.request | {name: value for name, value in plain.items() if value is not None}


def compute_clone_digest(job_id: str, request: JobRequest) -> str:
    """A copy is not the original sent again, however alike the two are."""
    return compute_request_digest(request, f"clone {job_id} ")
