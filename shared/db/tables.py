"""The tables. Times are unix seconds by the database's clock; JSON columns hold the values of pydantic models."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Double, ForeignKey, Index, Integer, MetaData, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.db.clock import db_now

Json = dict[str, Any]
JsonList = list[Any]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: Text(),
        float: Double(),
        int: BigInteger(),
        Json: JSON(none_as_null=True),  # None is NULL, not the JSON text null
        JsonList: JSON(none_as_null=True),
    }


class File(Base):
    """An uploaded data set or a result; its bytes lie in the storage under their digest, once however many ids they have."""

    __tablename__ = "files"
    __table_args__ = (Index(None, "owner_id", "id"), Index(None, "sha256"))

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    status: Mapped[str]
    status_details: Mapped[str | None]
    validation: Mapped[Json | None]
    created_at: Mapped[float] = mapped_column(default=db_now())
    expires_at: Mapped[float | None]


class Upload(Base):
    """A file that comes in parts; the parts lie in the storage under its id until it ends."""

    __tablename__ = "uploads"
    __table_args__ = (Index(None, "status", "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    """As announced; the parts that make the file up have so many together."""
    file_expires_after: Mapped[int | None]
    """Seconds that the file is kept for, from its own creation."""
    status: Mapped[str]
    part_ids: Mapped[JsonList | None]
    """What it was completed with, to know the same request by when it is sent again."""
    file_id: Mapped[str | None]
    """Not a foreign key: the file may be deleted."""
    created_at: Mapped[float] = mapped_column(default=db_now())
    expires_at: Mapped[float]


class UploadPart(Base):
    __tablename__ = "upload_parts"

    id: Mapped[str] = mapped_column(primary_key=True)
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), index=True)
    bytes: Mapped[int]
    created_at: Mapped[float] = mapped_column(default=db_now())


class Job(Base):
    """One request; frozen at creation but for its state, so that it can be run again from its row alone."""

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
    """Not a foreign key: the file may be deleted once the job has ended."""
    validation_file: Mapped[str | None] = mapped_column(index=True)
    test_file: Mapped[str | None] = mapped_column(index=True)
    seed: Mapped[int]
    suffix: Mapped[str | None]
    job_metadata: Mapped[Json | None] = mapped_column("metadata")
    request: Mapped[Json]
    """The extension objects exactly as asked: task, split, recipe, runs, evaluation, method."""
    request_sha256: Mapped[str | None]
    """Digest of the whole request, to know a re-sent one by; null on rows older than the column."""
    task: Mapped[Json]
    split: Mapped[Json]
    resolved_recipe: Mapped[Json | None]
    """Null only while pilots find an automatic value out."""
    recipe_notes: Mapped[Json]
    metric: Mapped[str]
    threads: Mapped[int] = mapped_column(Integer)
    dataset: Mapped[Json]
    """Rows of each split, label counts of the training rows, digests of the files."""
    pilots: Mapped[Json | None]
    """What automatic values are tried, what each reached, and why one was chosen; null where no pilot runs."""
    early_discard: Mapped[Json | None]
    """``{start, keep, at_step, …}`` where less promising runs are stopped part-way."""
    baselines: Mapped[Json]
    """Split -> list of {name, score}."""
    warnings: Mapped[JsonList]
    webhook: Mapped[Json | None]
    """``{url, secret}`` to be told of the job's end; the secret is shown to nobody."""

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


class Run(Base):
    """One seed of one job: the unit that is queued, leased, trained and cancelled."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "job_id", "purpose", "index", unique=True),
        Index(None, "status", "id"),
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
    """Which part of the training file it is validated on, from 0, under k-fold."""
    recipe: Mapped[Json | None]
    """A pilot's own resolved recipe; null: the job's."""
    held: Mapped[bool] = mapped_column(server_default=false())
    """Queued, but not to be claimed before the job's pilots have ended."""
    stop_step: Mapped[int | None]
    """Pause after this step, for the early discard to decide."""
    state: Mapped[str | None]
    """Storage prefix of what a paused run goes on from."""

    status: Mapped[str]
    cancel_requested: Mapped[bool] = mapped_column(server_default=false())
    pause_requested: Mapped[bool] = mapped_column(server_default=false())
    """Its job was paused: it is to wait, or waits, for the job to be resumed."""
    fence: Mapped[int] = mapped_column(server_default="0")
    """Rises at claim and at expiry; every write of a worker is guarded by the value it claimed with."""
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    lease_until: Mapped[float | None]
    enqueued_at: Mapped[float | None]
    """When the bell was last rung for it; null: ring as soon as possible."""
    deaths: Mapped[int] = mapped_column(Integer, server_default="0")
    """How often in a row the trainer died at ``death_step`` while it trained this run alone."""
    death_step: Mapped[int | None]
    stack_limit: Mapped[int | None] = mapped_column(Integer)
    """Most runs that it may be trained side by side with, itself included, since a trainer of several died: whose fault that was is
    not known. Null: no limit of its own."""

    step: Mapped[int] = mapped_column(server_default="0")
    total_steps: Mapped[int]
    train_loss: Mapped[float | None]
    validation_score: Mapped[float | None]
    test_score: Mapped[float | None]
    degenerate: Mapped[bool | None]
    best_step: Mapped[int | None]
    trained_tokens: Mapped[int | None]
    weights_sha256: Mapped[str | None]
    result: Mapped[Json | None]
    """Scores and confusion matrix of the chosen checkpoint, a split each (``events.SplitResult``)."""
    diagnosis: Mapped[JsonList]
    environment: Mapped[Json | None]
    worker: Mapped[str | None]
    device: Mapped[str | None]
    artifacts: Mapped[str | None]
    """Storage prefix of the run's model folder and predictions; null once they are deleted."""
    fine_tuned_model: Mapped[str | None]
    error: Mapped[Json | None]
    created_at: Mapped[float] = mapped_column(default=db_now())
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class Metric(Base):
    """One point of one series of one run; the key says that it exists once."""

    __tablename__ = "metrics"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[float]


class Checkpoint(Base):
    """Weights that are kept: a run's chosen checkpoint, until the job ends and only the published ones stay."""

    __tablename__ = "checkpoints"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[str]
    step: Mapped[int]
    metrics: Mapped[Json]
    created_at: Mapped[float] = mapped_column(default=db_now())


class Event(Base):
    """What happened to a job, in words, in order."""

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


class Model(Base):
    """A published model: the folder of a chosen run."""

    __tablename__ = "models"
    __table_args__ = (Index(None, "owner_id", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    base_model: Mapped[str]
    prefix: Mapped[str]
    """Storage prefix of its folder."""
    labels: Mapped[JsonList]
    created_at: Mapped[float] = mapped_column(default=db_now())


class Comparison(Base):
    """Jobs compared, as it was told at the time."""

    __tablename__ = "comparisons"
    __table_args__ = (Index(None, "owner_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    result: Mapped[Json]
    """The comparison on the wire, without id and time."""
    created_at: Mapped[float] = mapped_column(default=db_now())


class IdempotencyKey(Base):
    """The first answer to a creation that carried an ``Idempotency-Key``, so that a re-sent one makes nothing new."""

    __tablename__ = "idempotency_keys"

    owner_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[float] = mapped_column(default=db_now())


class Worker(Base):
    """A worker machine as it has last told of itself."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    slots: Mapped[int] = mapped_column(Integer)
    devices: Mapped[JsonList]
    """Of its slots, in order."""
    started_at: Mapped[float] = mapped_column(default=db_now())
    last_beat: Mapped[float] = mapped_column(default=db_now())


class WebhookDelivery(Base):
    """One notice to the address of a job, with what became of it."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "job_id", "id"), Index(None, "status", "next_attempt_at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    owner_id: Mapped[str]
    type: Mapped[str]
    payload: Mapped[str]
    """The body, byte for byte what is signed."""
    status: Mapped[str]
    """pending, delivered or failed."""
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[float | None]
    response_status: Mapped[int | None] = mapped_column(Integer)
    """Of the latest attempt; null where there was no answer."""
    error: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=db_now())
    delivered_at: Mapped[float | None]
