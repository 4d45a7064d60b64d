"""Tables of jobs, their events, and the keys of idempotent requests."""

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, false
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base, Json, JsonList


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
    training_file: Mapped[str] = mapped_column(index=True)
    """Not a foreign key: the file may be deleted after the job has ended."""
    validation_file: Mapped[str | None] = mapped_column(index=True)
    test_file: Mapped[str | None] = mapped_column(index=True)
    seed: Mapped[int]
    suffix: Mapped[str | None]
    job_metadata: Mapped[Json | None] = mapped_column("metadata")
    request: Mapped[Json]
    """The extension objects as requested: task, split, recipe, runs, evaluation, method."""
    request_sha256: Mapped[str | None]
    """Digest of the whole request, to recognise a repeated one; null on rows older than the
    column.
    """
    task: Mapped[Json]
    split: Mapped[Json]
    resolved_recipe: Mapped[Json | None]
    """Null only while pilots choose an automatic value."""
    recipe_notes: Mapped[Json]
    metric: Mapped[str]
    threads: Mapped[int] = mapped_column(Integer)
    dataset: Mapped[Json]
    """Rows of each split, label counts of the training rows, digests of the files."""
    pilots: Mapped[Json | None]
    """Candidates of the automatic values, their scores and the choice; null for a job without
    pilots.
    """
    early_discard: Mapped[Json | None]
    """``{start, keep, at_step, …}`` for a job that discards weak runs early."""
    baselines: Mapped[Json]
    """Split -> list of {name, score}."""
    warnings: Mapped[JsonList]
    webhook: Mapped[Json | None]
    """``{url, secret}`` for the notice of the job's end; the secret is never returned."""

    status: Mapped[str]
    cancel_requested: Mapped[bool] = mapped_column(server_default=false())
    fence: Mapped[int] = mapped_column(server_default="0")
    """Rises with every claim to publish; the final write is guarded by it."""
    publish_attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    lease_until: Mapped[float | None]
    error: Mapped[Json | None]
    fine_tuned_model: Mapped[str | None]
    result_files: Mapped[JsonList]
    trained_tokens: Mapped[int | None]
    created_at: Mapped[float] = mapped_column(default=db_now())
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


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
    data: Mapped[Json | None]
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
