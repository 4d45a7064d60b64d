"""Tables of runs, their metric series and kept checkpoints."""

from pydantic import JsonValue
from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, false
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base
from shared.db.tables.typed_json import TypedJson
from shared.domain.errors import Reason
from shared.metrics.run_result import BaselinesResult, RungResult, StoredResult, TrainedResult
from shared.recipe.value import ForeignRecipe, Recipe, StoredRecipe


class Run(Base):
    """One seed of one job: the unit that is queued, leased, trained and cancelled."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "job_id", "purpose", "index", unique=True),
        Index(None, "status", "job_id", "index"),
        Index(None, "status", "held", "owner_id", "job_id", "index"),
        Index(None, "owner_id", "finished_at"),
        # a running run without a lease could never be taken back
        CheckConstraint("status <> 'running' OR lease_until IS NOT NULL", name="running_has_lease"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    owner_id: Mapped[str]
    index: Mapped[int] = mapped_column(Integer)
    purpose: Mapped[str]
    seed: Mapped[int]
    init_seed: Mapped[int]
    data_seed: Mapped[int]
    fold: Mapped[int | None] = mapped_column(Integer)
    """Under k-fold, the part of the training file for validation, from 0."""
    recipe: Mapped[Recipe | ForeignRecipe | None] = mapped_column(TypedJson(StoredRecipe))
    """Resolved recipe of a pilot or distillation; null for a run with the job's recipe."""
    held: Mapped[bool] = mapped_column(server_default=false())
    """Queued, but not to be claimed before the job's model has been downloaded, its pilots have
    ended, or, if this is a distillation, its main runs have.
    """
    teachers: Mapped[list[str] | None] = mapped_column(TypedJson(list[str]))
    """IDs of the runs whose mean prediction a distillation learns, once it may start; null for
    other runs.
    """
    stop_step: Mapped[int | None]
    """Pause after this step for the early discard."""
    state: Mapped[str | None]
    """Storage prefix of a paused run's resume state."""

    status: Mapped[str]
    cancel_requested: Mapped[bool] = mapped_column(server_default=false())
    pause_requested: Mapped[bool] = mapped_column(server_default=false())
    """The job was paused, so the run has to stop or waits to be resumed."""
    fence: Mapped[int] = mapped_column(server_default="0")
    """Rises at claim and at expiry; a worker's writes are guarded by the value it claimed with."""
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    lease_until: Mapped[float | None]
    enqueued_at: Mapped[float | None]
    """When the queue was last notified of the run; null: notify as soon as possible."""
    deaths: Mapped[int] = mapped_column(Integer, server_default="0")
    """Consecutive deaths of the trainer at ``death_step`` while it trained this run alone."""
    death_step: Mapped[int | None]
    stack_limit: Mapped[int | None] = mapped_column(Integer)
    """Largest stack this run may join, set after a trainer of several runs died and the cause
    is not known. Null: no limit.
    """

    step: Mapped[int] = mapped_column(server_default="0")
    total_steps: Mapped[int]
    train_loss: Mapped[float | None]
    validation_score: Mapped[float | None]
    test_score: Mapped[float | None]
    degenerate: Mapped[bool | None]
    best_step: Mapped[int | None]
    trained_tokens: Mapped[int | None]
    weights_sha256: Mapped[str | None]
    result: Mapped[TrainedResult | RungResult | BaselinesResult | None] = mapped_column(
        TypedJson(StoredResult)
    )
    diagnosis: Mapped[list[str]] = mapped_column(TypedJson(list[str]))
    environment: Mapped[dict[str, JsonValue] | None] = mapped_column(
        TypedJson(dict[str, JsonValue])
    )
    """Versions and hardware by name; the trainer of the run decides which names there are."""
    worker: Mapped[str | None]
    device: Mapped[str | None]
    artifacts: Mapped[str | None]
    """Storage prefix of the run's model folder and predictions; null after their deletion."""
    fine_tuned_model: Mapped[str | None]
    error: Mapped[Reason | None] = mapped_column(TypedJson(Reason))
    created_at: Mapped[float] = mapped_column(default=db_now())
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class Metric(Base):
    """One point of one series of one run; the primary key makes it unique."""

    __tablename__ = "metrics"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[float]


class Checkpoint(Base):
    """A run's chosen checkpoint; listed if its weights are kept as a model."""

    __tablename__ = "checkpoints"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[str]
    step: Mapped[int]
    metrics: Mapped[dict[str, int | float | None]] = mapped_column(
        TypedJson(dict[str, int | float | None])
    )
    """Losses and scores by name, as the hosted API lists them; ``step`` is an integer."""
    created_at: Mapped[float] = mapped_column(default=db_now())
