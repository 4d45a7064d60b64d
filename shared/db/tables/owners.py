"""Tables about owners: their API keys, and their turns in the queue."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base


class ApiKey(Base):
    """A key that gives a client access to the rows of one owner. The key itself is not stored."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "owner_id"), Index(None, "prefix", unique=True))

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    name: Mapped[str]
    prefix: Mapped[str]
    """First characters of the key, which name it in lists and logs."""
    hash: Mapped[str]
    """SHA-256 of the key, in hexadecimal."""
    scope: Mapped[str]
    created_at: Mapped[float] = mapped_column(default=db_now())
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]
    last_used_at: Mapped[float | None]
    """Late by up to a minute."""


class QueueTurn(Base):
    """When an owner was last given a slot; owners with waiting runs take turns."""

    __tablename__ = "queue_turns"
    __table_args__ = (Index(None, "turn"),)

    owner_id: Mapped[str] = mapped_column(primary_key=True)
    turn: Mapped[int]
    """Rises over all owners: the smallest has waited longest."""
