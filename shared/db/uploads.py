"""Queries on uploads in parts."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.tables import Upload, UploadPart
from shared.domain.errors import InvalidValue, UploadNotFound, UploadNotPending
from shared.domain.states import UploadState
from shared.timings import UPLOAD_LIFETIME_S

RETENTION_S = 7 * 86_400
"""How long an ended upload is kept to answer late or repeated requests."""
MAX_PARTS = 1000
MAX_STORED_FACTOR = 4
"""Limit for the size of all parts as a multiple of the announced size: a repeated part is
stored again.
"""


class Uploads:
    def __init__(self, session: Session, owner_id: str) -> None:
        self._session = session
        self._owner_id = owner_id

    def add(self, upload: Upload) -> None:
        self._session.add(upload)
        self._session.flush()
        self._session.execute(
            update(Upload)
            .where(Upload.id == upload.id)
            .values(expires_at=Upload.created_at + UPLOAD_LIFETIME_S)
        )
        self._session.refresh(upload)

    def get(self, upload_id: str, *, for_update: bool = False) -> Upload:
        """Return an upload, locked with ``for_update``. Raises UploadNotFound, also for
        another owner's.
        """
        query = select(Upload).where(Upload.id == upload_id, Upload.owner_id == self._owner_id)
        upload = self._session.scalars(
            query.with_for_update() if for_update else query
        ).one_or_none()
        if upload is None:
            raise UploadNotFound(f"No upload has the ID {upload_id[:80]!r}.", param="upload_id")
        return upload

    def get_state(self, upload: Upload) -> UploadState:
        """Return the stored status, or expired for an upload that is past its time but not
        marked yet.
        """
        state = UploadState(upload.status)
        over = (
            state is UploadState.PENDING
            and upload.expires_at <= self._session.scalars(select(db_now())).one()
        )
        return UploadState.EXPIRED if over else state

    def get_pending(self, upload_id: str, *, for_update: bool = False) -> Upload:
        """Return a pending upload. Raises UploadNotFound and UploadNotPending."""
        upload = self.get(upload_id, for_update=for_update)
        if (state := self.get_state(upload)) is not UploadState.PENDING:
            raise UploadNotPending(
                f"Upload {upload_id} is {state} and accepts no more parts; create a new upload.",
                param="upload_id",
            )
        return upload

    def add_part(self, part: UploadPart) -> None:
        """Add a part. Raises InvalidValue for too many parts and UploadNotPending for an ended
        upload.
        """
        upload = self.get_pending(part.upload_id, for_update=True)
        counted = select(func.count(), func.coalesce(func.sum(UploadPart.bytes), 0))
        count, stored = self._session.execute(
            counted.where(UploadPart.upload_id == upload.id)
        ).one()
        if count >= MAX_PARTS or stored + part.bytes > MAX_STORED_FACTOR * upload.bytes:
            raise InvalidValue(
                f"The upload already has {count:,} parts with {stored:,} bytes in total; the "
                f"limits are {MAX_PARTS:,} parts and {MAX_STORED_FACTOR} times the announced "
                f"{upload.bytes:,} bytes. Complete it, or create a new upload.",
                param="data",
            )
        self._session.add(part)
        self._session.flush()
        self._session.refresh(part)

    def get_parts_by_id(self, upload_id: str) -> dict[str, UploadPart]:
        """List parts by id."""
        found = self._session.scalars(select(UploadPart).where(UploadPart.upload_id == upload_id))
        return {part.id: part for part in found}

    def finish_upload(
        self,
        upload: Upload,
        state: UploadState,
        *,
        part_ids: Sequence[str] | None = None,
        file_id: str | None = None,
    ) -> None:
        """End the upload and delete its part rows. The caller deletes the bytes after the
        commit.
        """
        upload.status, upload.file_id = state, file_id
        upload.part_ids = None if part_ids is None else list(part_ids)
        self._session.flush()
        self._session.execute(delete(UploadPart).where(UploadPart.upload_id == upload.id))


def list_overdue_uploads(
    session: Session, limit: int, *, for_update: bool = False
) -> Sequence[Upload]:
    """List expired pending uploads of any owner. ``for_update`` locks them and skips rows
    that are locked elsewhere.
    """
    query = select(Upload).where(
        Upload.status == UploadState.PENDING, Upload.expires_at <= db_now()
    )
    query = query.order_by(Upload.expires_at, Upload.id).limit(limit)
    return session.scalars(query.with_for_update(skip_locked=True) if for_update else query).all()


def delete_ended_uploads(session: Session) -> int:
    """Delete the rows of uploads that ended long ago, and return their number. Files made from
    them stay.
    """
    ended = [state for state in UploadState if state is not UploadState.PENDING]
    old = delete(Upload).where(
        Upload.status.in_(ended), Upload.expires_at <= db_now() - RETENTION_S
    )
    return len(session.scalars(old.returning(Upload.id)).all())
