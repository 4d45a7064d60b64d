"""Files and the uploads that they may come in."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.clock import db_now
from shared.db.tables.base import Base, Json, JsonList


class File(Base):
    """An uploaded data set or a result; its bytes lie in the storage under their digest, once however many ids they have."""

    __tablename__ = "files"
    __table_args__ = (
        Index(None, "owner_id", "id"),
        Index(None, "owner_id", "purpose", "id"),
        Index(None, "sha256"),
        Index(None, "expires_at"),
    )

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
