"""Tables of worker machines and webhook deliveries."""

from sqlalchemy import ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base
from shared.db.tables.typed_json import TypedJson


class Worker(Base):
    """A worker machine and its latest report."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    slots: Mapped[int] = mapped_column(Integer)
    devices: Mapped[list[str]] = mapped_column(TypedJson(list[str]))
    """One device per slot, in order."""
    started_at: Mapped[float] = mapped_column(default=db_now())
    last_beat: Mapped[float] = mapped_column(default=db_now())


class WebhookDelivery(Base):
    """One notice to a job's webhook, and its result."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index(None, "job_id", "id"),
        Index(None, "status", "next_attempt_at"),
        Index(None, "receiver", "leased_until"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    owner_id: Mapped[str]
    type: Mapped[str]
    payload: Mapped[str]
    """The body, byte for byte as signed."""
    status: Mapped[str]
    """pending, delivered or failed."""
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[float | None]
    receiver: Mapped[str | None]
    """Host of the webhook; null on rows older than the column."""
    leased_until: Mapped[float | None]
    """While an attempt is made: when any sender may make another one."""
    response_status: Mapped[int | None] = mapped_column(Integer)
    """Status of the latest attempt; null without a response."""
    error: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=db_now())
    delivered_at: Mapped[float | None]
