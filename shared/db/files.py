"""Queries on files."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from shared.db.paging import Page, fetch
from shared.db.tables import File, Job
from shared.errors import FileInUse, FileNotFound
from shared.states import JOB_OPEN


class Files:
    def __init__(self, session: Session, owner_id: str) -> None:
        self._session = session
        self._owner_id = owner_id

    def add(self, file: File) -> None:
        self._session.add(file)

    def get(self, file_id: str, *, param: str | None = None, for_job: bool = False) -> File:
        """Raises FileNotFound, also for another owner's file. ``for_job`` keeps it from being deleted meanwhile."""
        query = select(File).where(File.id == file_id, File.owner_id == self._owner_id)
        if for_job:
            query = query.with_for_update(read=True)
        file = self._session.scalars(query).one_or_none()
        if file is None:
            raise FileNotFound(f"No file has the id {file_id[:80]!r}.", param=param)
        return file

    def page(self, page: Page, purpose: str | None) -> tuple[Sequence[File], bool]:
        query = select(File).where(File.owner_id == self._owner_id)
        if purpose is not None:
            query = query.where(File.purpose == purpose)
        return fetch(self._session, query, File.id, page)

    def delete(self, file_id: str) -> File:
        """Raises FileNotFound, or FileInUse while a job that has not ended needs the file."""
        mine = select(File).where(File.id == file_id, File.owner_id == self._owner_id)
        file = self._session.scalars(mine.with_for_update()).one_or_none()
        if file is None:
            raise FileNotFound(f"No file has the id {file_id[:80]!r}.", param="file_id")
        names_it = or_(Job.training_file == file_id, Job.validation_file == file_id)
        users = select(Job.id).where(names_it, Job.status.in_(JOB_OPEN)).order_by(Job.id).limit(1)
        user = self._session.scalar(users)
        if user is not None:
            raise FileInUse(
                f"File {file_id} cannot be deleted while job {user} needs it; cancel the job or wait for its end.",
                param="file_id",
            )
        self._session.execute(delete(File).where(File.id == file_id))
        return file

    def digest_is_used(self, sha256: str) -> bool:
        return bool(self._session.scalar(select(exists().where(File.sha256 == sha256))))
