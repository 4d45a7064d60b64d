"""What a job leaves behind on its way, on the wire: events, checkpoints, notices to its webhook."""

from typing import Any, Literal, Self

from pydantic import ConfigDict

from api.pagination import Identified
from shared.db.events import event_id
from shared.db.tables import Event


class EventObject(Identified):
    """Something that happened to a job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    """How grave it is."""
    message: str
    """A sentence for people."""
    type: Literal["message", "metrics"]
    """`metrics` for an evaluation's numbers, `message` for everything else."""
    data: dict[str, Any]
    """Of `metrics`: step, losses, scores, seed."""
    run_id: str | None
    """The run it is about; null where it is the job."""

    @classmethod
    def from_row(cls, event: Event) -> Self:
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
    """Weights that are kept, as a model of their own."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    """The checkpoint as a model's id."""
    fine_tuning_job_id: str
    """The job."""
    step_number: int
    """After which optimiser step."""
    metrics: dict[str, Any]
    """Losses and scores at that step."""
    run_id: str
    """The run whose weights they are."""
    seed: int
    """Of that run."""


class DeliveryObject(Identified):
    """One notice to the job's webhook. Its id is the event's `id`, and the `webhook-id` of
    every attempt.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["webhook.delivery"] = "webhook.delivery"
    type: str
    """The event, e.g. `fine_tuning.job.succeeded`."""
    status: Literal["pending", "delivered", "failed"]
    """`failed` once no further attempt is made."""
    attempts: int
    """Made so far."""
    next_attempt_at: int | None
    """Unix seconds; null where none is to come."""
    response_status: int | None
    """Of the latest attempt; null where there was no answer."""
    error: str | None
    """Why the latest attempt did not succeed; null where it did."""
    created_at: int
    delivered_at: int | None
    """Unix seconds; null until then."""
