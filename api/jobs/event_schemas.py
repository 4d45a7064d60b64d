"""Response schemas of a job's events, checkpoints and webhook deliveries."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import ConfigDict

from api.jobs.schemas import StoredJson
from api.pagination import Identified
from shared.db.events import format_event_id
from shared.db.tables import Checkpoint, Event, Run, WebhookDelivery
from shared.domain.naming import build_checkpoint_model_id, build_kept_model_id
from shared.domain.visible_text import Prose


class EventObject(Identified):
    """An event of a job, or of one of its runs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the event; in a stream it is the event's SSE ID."""
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    """Always `fine_tuning.job.event`."""
    created_at: int
    """Time of the event, Unix seconds."""
    level: Literal["info", "warn", "error"]
    """Severity of the event."""
    message: Prose
    """Human-readable description."""
    type: Literal["message", "metrics"]
    """`metrics` for the numbers of an evaluation, `message` for everything else."""
    data: StoredJson
    """For `metrics`: step, losses, scores and seed."""
    run_id: str | None
    """ID of the run that the event is about; null if it is about the job."""

    @classmethod
    def from_row(cls, event: Event) -> Self:
        return cls(
            id=format_event_id(event.seq),
            created_at=int(event.created_at),
            level=event.level,
            message=event.message,
            type=event.type,
            data=event.data or {},
            run_id=event.run_id,
        )


class CheckpointObject(Identified):
    """A kept checkpoint of a run: a second name of the run's model."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the checkpoint."""
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    """Always `fine_tuning.job.checkpoint`."""
    created_at: int
    """Time of the checkpoint, Unix seconds."""
    fine_tuned_model_checkpoint: str
    """Model ID of the checkpoint, as `model` of a job or a classification."""
    fine_tuning_job_id: str
    """ID of the job."""
    step_number: int
    """Optimizer step at which the weights were kept."""
    metrics: StoredJson
    """Losses and scores at that step: `train_loss` of its batch, and the others on all validation
    rows. A label counts as the one token of an answer, so the token accuracies are accuracies;
    null for a task without accuracy, and `train_mean_token_accuracy` is not measured."""
    run_id: str
    """ID of the run that the weights belong to."""
    seed: int
    """Seed of that run."""

    @classmethod
    def from_row(
        cls, checkpoint: Checkpoint, model: str, run: Run, train_loss: float | None
    ) -> Self:
        """Return the checkpoint of a run; ``model`` is the job's model ID."""
        kept = build_kept_model_id(model, run.init_seed, run.data_seed, run.fold)
        return cls(
            id=checkpoint.id,
            created_at=int(checkpoint.created_at),
            fine_tuned_model_checkpoint=build_checkpoint_model_id(kept, checkpoint.step),
            fine_tuning_job_id=checkpoint.job_id,
            step_number=checkpoint.step,
            metrics=_build_hosted_metrics(checkpoint.metrics, train_loss),
            run_id=checkpoint.run_id,
            seed=run.seed,
        )


def _build_hosted_metrics(
    stored: Mapping[str, int | float | None], train_loss: float | None
) -> dict[str, object]:
    """Return the stored metrics with those of the hosted API.

    Every evaluation is on all validation rows, so its "full" metrics are the same numbers.
    """
    loss, accuracy = stored.get("valid_loss"), stored.get("valid_accuracy")
    return {
        **stored,
        "train_loss": train_loss,
        "train_mean_token_accuracy": None,
        "valid_loss": loss,
        "valid_mean_token_accuracy": accuracy,
        "full_valid_loss": loss,
        "full_valid_mean_token_accuracy": accuracy,
    }


class DeliveryObject(Identified):
    """A delivery of one event to the job's webhook."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the delivery; also the `id` of the sent event and the `webhook-id` of every attempt."""
    object: Literal["webhook.delivery"] = "webhook.delivery"
    """Always `webhook.delivery`."""
    type: str
    """Type of the sent event, for example `fine_tuning.job.succeeded`."""
    status: Literal["pending", "delivered", "failed"]
    """State of the delivery; `failed` once no further attempt will be made."""
    attempts: int
    """Number of attempts so far."""
    next_attempt_at: int | None
    """Time of the next attempt, Unix seconds; null if there will be none."""
    response_status: int | None
    """HTTP status of the latest response; null if there was no response."""
    error: str | None
    """Why the latest attempt failed; null if it succeeded."""
    created_at: int
    """Time at which the delivery was queued, Unix seconds."""
    delivered_at: int | None
    """Time of the successful attempt, Unix seconds; null until then."""

    @classmethod
    def from_row(cls, delivery: WebhookDelivery) -> Self:
        next_attempt, delivered = delivery.next_attempt_at, delivery.delivered_at
        return cls(
            id=delivery.id,
            type=delivery.type,
            status=delivery.status,
            attempts=delivery.attempts,
            next_attempt_at=None if next_attempt is None else int(next_attempt),
            response_status=delivery.response_status,
            error=delivery.error,
            created_at=int(delivery.created_at),
            delivered_at=None if delivered is None else int(delivered),
        )
