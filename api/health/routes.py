"""Routes /health and /ready, for liveness and readiness probes."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.dependencies import ServicesDep
from api.errors import document_errors
from shared.db.health import check_connection
from shared.domain.errors import ServiceUnavailable
from shared.infra.broker import BrokerUnreachable

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process is alive."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok"] = "ok"
    """Always `ok`."""


class Ready(BaseModel):
    """The database, the storage and the job queue respond."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok"] = "ok"
    """Always `ok`."""
    queue_depth: int
    """Messages in the job queue that no worker has taken yet."""


@router.get("/health", summary="Check liveness")
async def health() -> Health:
    """Check that the process responds, without checking the database and the job queue."""
    return Health()


@router.get("/ready", summary="Check readiness", responses=document_errors(ServiceUnavailable))
def ready(services: ServicesDep) -> Ready:
    """Check that the database, the storage and the job queue respond too."""
    with services.database.read() as session:
        check_connection(session)
    services.storage_probe.check()
    try:
        return Ready(queue_depth=services.job_queue.count_messages())
    except BrokerUnreachable:
        raise ServiceUnavailable(
            "The job queue does not respond; new jobs are accepted and start once it responds."
        ) from None
