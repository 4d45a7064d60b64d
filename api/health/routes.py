"""Is it alive, can it work."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from api.dependencies import ServicesDep
from api.errors import document_errors
from shared.domain.errors import ServiceUnavailable
from shared.infra.broker import BrokerAway

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Database and broker answer as well."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok"] = "ok"
    queue_depth: int
    """Messages that no worker has taken yet."""


@router.get("/health", summary="Tell whether it is alive")
def health() -> Health:
    """The process answers; of what it needs nothing is asked."""
    return Health()


@router.get(
    "/ready", summary="Tell whether it can work", responses=document_errors(ServiceUnavailable)
)
def ready(services: ServicesDep) -> Ready:
    """The database and the broker answer as well."""
    with services.database.read() as session:
        session.execute(text("SELECT 1"))
    try:
        return Ready(queue_depth=services.job_queue.depth())
    except BrokerAway:
        raise ServiceUnavailable(
            "The broker does not answer; jobs are accepted and start once it does."
        ) from None
