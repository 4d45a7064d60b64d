"""Queries on uploaded and result files."""

from collections.abc import Sequence

from sqlalchemy import Select, and_, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from shared.db.clock import db_now
from shared.db.pagination import PageRequest, fetch_page
from shared.db.tables import File, Job
from shared.domain.errors import FileInUse, FileNotFound, ModelNotAllowed
from shared.domain.ids import FILE_PREFIX
from shared.domain.states import OPEN_JOB_STATES
from shared.encoders.uploaded import MODEL_PURPOSE, UploadedModel, build_model_filename

_LISTED_PURPOSES = {"user_data": ("user_data", "evals")}
"""Purposes that a list for this purpose includes besides exact matches."""


def files_of_job(session: Session, job: Job) -> Sequence[File]:
    """Return the job's uploaded files that still exist, of any owner and state: its data, and the
    checkpoint that it starts from if that was uploaded.
    """
    file_ids = [
        job.training_file,
        job.validation_file,
        job.test_file,
        job.unlabelled_file,
        job.model,
    ]
    return session.scalars(
        select(File).where(File.id.in_([file_id for file_id in file_ids if file_id is not None]))
    ).all()


def delete_files(session: Session, file_ids: Sequence[str]) -> None:
    """Delete the rows of these files; missing ones are ignored."""
    session.execute(delete(File).where(File.id.in_(file_ids)))


def list_digests(session: Session, file_ids: Sequence[str]) -> Sequence[str]:
    """List the digests of those of the files that exist."""
    return session.scalars(select(File.sha256).where(File.id.in_(file_ids)).distinct()).all()


class Files:
    def __init__(self, session: Session, owner_id: str) -> None:
        self._session = session
        self._owner_id = owner_id

    def add(self, file: File, *, expires_after: int | None = None) -> None:
        """Store a file. ``expires_after`` counts in seconds from its creation, by the
        database's clock.
        """
        self._session.add(file)
        if expires_after is not None:
            self._session.flush()
            self._session.execute(
                update(File)
                .where(File.id == file.id)
                .values(expires_at=File.created_at + expires_after)
            )

    def get(self, file_id: str, *, param: str | None = None, for_job: bool = False) -> File:
        """Return a file. ``for_job`` locks it against deletion. Raises FileNotFound, also for
        an expired file or another owner's.
        """
        query = self._build_unexpired_query().where(File.id == file_id)
        if for_job:
            query = query.with_for_update(read=True)
        file = self._session.scalars(query).one_or_none()
        if file is None:
            raise FileNotFound(f"No file has the ID {file_id[:80]!r}.", param=param)
        return file

    def get_model(self, file_id: str, *, for_job: bool = False) -> tuple[File, UploadedModel]:
        """Return an uploaded checkpoint. ``for_job`` locks it against deletion.

        Raises ModelNotAllowed, also for a file of another kind.
        """
        try:
            file = self.get(file_id, for_job=for_job)
        except FileNotFound:
            raise ModelNotAllowed(
                f"This installation has no uploaded model {file_id[:80]!r}; it may have been "
                "deleted. Give a model of GET /v1/models.",
                param="model",
            ) from None
        if file.model is None:
            raise ModelNotAllowed(
                f"File {file_id} is not a model. Give the ID of a file that was uploaded with the "
                f"purpose {MODEL_PURPOSE}.",
                param="model",
            )
        return file, file.model

    def find_model(self, name: str) -> File | None:
        """Return the newest uploaded checkpoint of that name."""
        return self.find_by_name(build_model_filename(name), MODEL_PURPOSE)

    def list_models(self) -> Sequence[File]:
        """List the uploaded checkpoints, newest first."""
        query = self._build_unexpired_query().where(File.purpose == MODEL_PURPOSE)
        return self._session.scalars(query.order_by(File.id.desc())).all()

    def find_by_name(self, filename: str, purpose: str) -> File | None:
        """Return the newest file of that name, for names that identify the content."""
        named = self._build_unexpired_query().where(
            File.filename == filename, File.purpose == purpose
        )
        return self._session.scalars(named.order_by(File.id.desc()).limit(1)).one_or_none()

    def find_by_content(self, sha256: str, purpose: str) -> File | None:
        """Return the newest file with these bytes."""
        same = self._build_unexpired_query().where(File.sha256 == sha256, File.purpose == purpose)
        return self._session.scalars(same.order_by(File.id.desc()).limit(1)).one_or_none()

    def list_page(self, page: PageRequest, purpose: str | None) -> tuple[Sequence[File], bool]:
        """List files without their profiles, which can be megabytes each."""
        query = self._build_unexpired_query().options(
            defer(File.validation, raiseload=True), defer(File.zip_outline, raiseload=True)
        )
        if purpose is not None:
            query = query.where(File.purpose.in_(_LISTED_PURPOSES.get(purpose, (purpose,))))
        scope = File.owner_id == self._owner_id
        return fetch_page(self._session, query, File.id, page, scope=scope, prefix=FILE_PREFIX)

    def delete(self, file_id: str) -> File:
        """Delete a file. Raises FileNotFound, or FileInUse while an open job needs it."""
        mine = self._build_unexpired_query().where(File.id == file_id)
        file = self._session.scalars(mine.with_for_update()).one_or_none()
        if file is None:
            raise FileNotFound(f"No file has the ID {file_id[:80]!r}.", param="file_id")
        user = self._session.scalar(
            _build_open_jobs_query(file_id, self._owner_id).order_by(Job.id).limit(1)
        )
        if user is not None:
            raise FileInUse(
                (
                    f"File {file_id} cannot be deleted while job {user} needs it; cancel the "
                    "job or wait until it has ended."
                ),
                param="file_id",
            )
        self._session.execute(delete(File).where(File.id == file_id))
        return file

    def _build_unexpired_query(self) -> Select[File]:
        return select(File).where(
            File.owner_id == self._owner_id,
            or_(File.expires_at.is_(None), File.expires_at > db_now()),
        )


def is_digest_used(session: Session, sha256: str) -> bool:
    """Return whether any owner's file has these bytes as a blob of its own."""
    return bool(
        session.scalar(select(exists().where(File.sha256 == sha256, File.folder.is_(None))))
    )


def list_expired_files(session: Session, limit: int) -> Sequence[File]:
    """List expired files of any owner, oldest expiry first, except those that an open job still
    needs.
    """
    query = select(File).where(
        File.expires_at <= db_now(), ~_build_open_jobs_query(File.id, File.owner_id).exists()
    )
    return session.scalars(
        query.options(defer(File.validation)).order_by(File.expires_at, File.id).limit(limit)
    ).all()


def _build_open_jobs_query(
    file_id: str | InstrumentedAttribute[str], owner_id: str | InstrumentedAttribute[str]
) -> Select[str]:
    names_it = or_(
        Job.training_file == file_id,
        Job.validation_file == file_id,
        Job.test_file == file_id,
        Job.unlabelled_file == file_id,
        and_(Job.owner_id == owner_id, Job.model == file_id),
    )
    return select(Job.id).where(names_it, Job.status.in_(OPEN_JOB_STATES))
