"""What a job leaves behind on its way, on the wire: events, checkpoints, notices to its webhook."""

from typing import Any, Literal, Self

from pydantic import ConfigDict

from api.listing import Identified
from shared.db.events import event_id
from shared.db.tables import Event


class EventObject(Identified):
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"]
    data: dict[str, Any]
    run_id: str | None

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            id=event_id(event.seq),
            created_at=int(event.created_at),
            level=event.level,
            message=event.message,
            type=event.type,
            data=event.data or {},
            run_id=event.run_id,
        )


class CheckpointObject(Identified):
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    step_number: int
    metrics: dict[str, Any]
    run_id: str
    seed: int


class DeliveryObject(Identified):
    """One notice to the job's webhook. Its id is the event's `id`, and the `webhook-id` of every attempt."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["webhook.delivery"] = "webhook.delivery"
    type: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    next_attempt_at: int | None
    response_status: int | None
    """Of the latest attempt; null where there was no answer."""
    error: str | None
    created_at: int
    delivered_at: int | None
