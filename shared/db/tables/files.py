"""Tables of files and of uploads in parts."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.datasets.profile.validation import Validation
from shared.db.clock import db_now
from shared.db.tables.base import Base
from shared.db.tables.typed_json import TypedJson
from shared.domain.zip_outline import ZipOutline
from shared.encoders.uploaded import UploadedModel


class File(Base):
    """An uploaded data set or checkpoint, or a result. Its bytes are stored once under their
    digest, however many files share them; those of a model's zip file are the model's folder.
    """

    __tablename__ = "files"
    __table_args__ = (
        Index(None, "owner_id", "id"),
        Index(None, "owner_id", "purpose", "id"),
        Index(None, "sha256"),
        Index(None, "expires_at"),
        Index(None, "folder"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    status: Mapped[str]
    status_details: Mapped[str | None]
    validation: Mapped[Validation | None] = mapped_column(TypedJson(Validation))
    """Null for a file that is not a table."""
    model: Mapped[UploadedModel | None] = mapped_column(TypedJson(UploadedModel))
    """Null for a file that is not an uploaded checkpoint."""
    folder: Mapped[str | None]
    """Prefix of the stored folder that the file is a zip file of; null for a file with bytes of its
    own, and on rows older than the column."""
    zip_outline: Mapped[ZipOutline | None] = mapped_column(TypedJson(ZipOutline))
    """The bytes of that zip file around its contents."""
    created_at: Mapped[float] = mapped_column(default=db_now())
    expires_at: Mapped[float | None]


class Upload(Base):
    """A file that arrives in parts, which are stored under the upload's id until it ends."""

    __tablename__ = "uploads"
    __table_args__ = (Index(None, "status", "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    """Announced size in bytes; the parts of the file must add up to it."""
    file_expires_after: Mapped[int | None]
    """Lifetime of the file in seconds after its creation."""
    status: Mapped[str]
    part_ids: Mapped[list[str] | None] = mapped_column(TypedJson(list[str]))
    """The request that completed it, to recognize a repeated one."""
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
