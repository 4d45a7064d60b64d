"""Tables of jobs, their events, and the keys of idempotent requests."""

from pydantic import JsonValue
from sqlalchemy import BigInteger, ForeignKey, Index, Integer, false
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base
from shared.db.tables.typed_json import TypedJson
from shared.domain.early_discard import DecidedDiscard, DiscardSettings, StoredDiscard
from shared.domain.errors import Reason
from shared.domain.hub_model import HubModel
from shared.domain.job_facts import (
    BaselineScores,
    DatasetFacts,
    JobWarning,
    SealedWebhook,
    StoredWebhook,
    WebhookTarget,
)
from shared.domain.job_request import StoredRequest
from shared.domain.publication import Publication
from shared.domain.task import (
    ForeignSplit,
    ForeignTask,
    SplitRequest,
    StoredSplit,
    StoredTask,
    Task,
)
from shared.recipe.pilot_schemas import PilotPlan
from shared.recipe.value import ForeignRecipe, Recipe, StoredRecipe


class Job(Base):
    """One request, frozen at creation except for its state, so that it can be run again from
    its row.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "owner_id", "id"),
        Index(None, "status"),
        Index(None, "owner_id", "request_sha256", "created_at"),
        Index(None, "owner_id", "model", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    model: Mapped[str]
    base_weights_sha256: Mapped[str | None]
    """Digest of the weights of the fine-tuned model that the job starts from; null for a base
    model, and on rows older than the column.
    """
    base_model_sha256: Mapped[str | None]
    """Digest of the config, weights and tokenizer that the job's runs start from
    (``shared.encoders.model_digest``); null until a part of the service has seen the folder.
    """
    hub_model: Mapped[HubModel | None] = mapped_column(TypedJson(HubModel))
    """The model of the hub that the job, or the fine-tuned model it starts from, began with; null
    for any other base model, and on rows older than the column.
    """
    awaits_model: Mapped[bool] = mapped_column(server_default=false())
    """Whether the job's runs are held until a worker has downloaded the model of the hub, or, while
    ``hub_model`` is null, until the hub has described it.
    """
    training_file: Mapped[str] = mapped_column(index=True)
    """Not a foreign key: the file may be deleted after the job has ended."""
    validation_file: Mapped[str | None] = mapped_column(index=True)
    test_file: Mapped[str | None] = mapped_column(index=True)
    unlabelled_file: Mapped[str | None] = mapped_column(index=True)
    """Texts for the distillation; null without, and on rows older than the column."""
    seed: Mapped[int]
    suffix: Mapped[str | None]
    job_metadata: Mapped[dict[str, str] | None] = mapped_column(
        "metadata", TypedJson(dict[str, str])
    )
    """Free key-value pairs of the caller."""
    request: Mapped[StoredRequest] = mapped_column(TypedJson(StoredRequest, exclude_unset=True))
    request_sha256: Mapped[str | None]
    """Digest of the whole request, to recognize a repeated one; null on rows older than the
    column.
    """
    task: Mapped[Task | ForeignTask] = mapped_column(TypedJson(StoredTask))
    split: Mapped[SplitRequest | ForeignSplit] = mapped_column(TypedJson(StoredSplit))
    resolved_recipe: Mapped[Recipe | ForeignRecipe | None] = mapped_column(TypedJson(StoredRecipe))
    """Null only while pilots choose an automatic value, or the hub has not described the model."""
    recipe_notes: Mapped[dict[str, str]] = mapped_column(TypedJson(dict[str, str]))
    """A sentence by setting."""
    metric: Mapped[str]
    threads: Mapped[int] = mapped_column(Integer)
    dataset: Mapped[DatasetFacts] = mapped_column(TypedJson(DatasetFacts))
    pilots: Mapped[PilotPlan | None] = mapped_column(TypedJson(PilotPlan))
    """Null for a job without pilots."""
    early_discard: Mapped[DecidedDiscard | DiscardSettings | None] = mapped_column(
        TypedJson(StoredDiscard)
    )
    """Null for a job that trains every run to its end."""
    baselines: Mapped[BaselineScores] = mapped_column(TypedJson(BaselineScores))
    warnings: Mapped[list[JobWarning]] = mapped_column(TypedJson(list[JobWarning]))
    webhook: Mapped[SealedWebhook | WebhookTarget | None] = mapped_column(TypedJson(StoredWebhook))

    status: Mapped[str]
    cancel_requested: Mapped[bool] = mapped_column(server_default=false())
    fence: Mapped[int] = mapped_column(server_default="0")
    """Rises with every claim to publish; the final write is guarded by it."""
    publish_attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    lease_until: Mapped[float | None]
    error: Mapped[Reason | None] = mapped_column(TypedJson(Reason))
    fine_tuned_model: Mapped[str | None]
    publication: Mapped[Publication | None] = mapped_column(TypedJson(Publication))
    """What the published model answers with, and the scores of the ensemble; null until the job
    has published, and on rows older than the column.
    """
    result_files: Mapped[list[str]] = mapped_column(TypedJson(list[str]))
    trained_tokens: Mapped[int | None]
    created_at: Mapped[float] = mapped_column(default=db_now())
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]

    @property
    def awaits_description(self) -> bool:
        """Whether the hub has not described the job's model yet, so that it has no recipe."""
        return bool(self.awaits_model) and self.hub_model is None


class Event(Base):
    """One event of a job, in order."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "job_id", "seq"), {"sqlite_autoincrement": True})

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    run_id: Mapped[str | None]
    owner_id: Mapped[str]
    level: Mapped[str]
    type: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, JsonValue] | None] = mapped_column(TypedJson(dict[str, JsonValue]))
    """Free data of the event, shown as it is: the numbers of an evaluation, or baseline scores."""
    created_at: Mapped[float] = mapped_column(default=db_now())


class IdempotencyKey(Base):
    """The result of a request, so that a repeated request creates nothing new.

    Keyed by the caller's ``Idempotency-Key`` or, for clients that send none, by keys that
    contain a blank, which no caller's key does: the digest of a repeated creation or extension.
    """

    __tablename__ = "idempotency_keys"

    owner_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[float] = mapped_column(default=db_now())
