"""The storage keys and scratch folders that rows still refer to, for the garbage collection."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.db.session import Database
from shared.db.tables import File, Model, Run, Upload
from shared.domain.states import OPEN_RUN_STATES, UploadState
from shared.infra.storage_errors import StorageUnavailable
from shared.infra.storage_keys import (
    StorageRoot,
    build_artifacts_prefix,
    build_file_key,
    build_logs_prefix,
    build_parts_prefix,
    build_predictions_key,
)


@dataclass(frozen=True)
class References:
    """What rows refer to at one moment."""

    prefixes: frozenset[str]
    """Storage keys, and prefixes of keys."""
    open_runs: frozenset[str]
    """IDs of the runs that have not ended."""


def collect_references(session: Session) -> References:
    """Read the owners of every root of the storage (``StorageRoot``)."""
    open_runs = frozenset(session.scalars(select(Run.id).where(Run.status.in_(OPEN_RUN_STATES))))
    prefixes: dict[StorageRoot, set[str]] = {
        StorageRoot.FILES: {
            build_file_key(sha256)
            for sha256 in session.scalars(
                select(File.sha256).where(File.folder.is_(None)).distinct()
            )
        },
        StorageRoot.UPLOADS: {
            build_parts_prefix(upload_id)
            for upload_id in session.scalars(
                select(Upload.id).where(Upload.status == UploadState.PENDING)
            )
        },
        StorageRoot.RUNS: {build_artifacts_prefix(run_id) for run_id in open_runs}
        | {
            prefix
            for prefix in session.scalars(select(Run.artifacts).where(Run.artifacts.is_not(None)))
            if prefix
        },
        StorageRoot.MODELS: set(session.scalars(select(Model.prefix)))
        | {
            folder
            for folder in session.scalars(select(File.folder).where(File.folder.is_not(None)))
            if folder
        },
        StorageRoot.LOGS: set(),
        StorageRoot.PREDICTIONS: set(),
    }
    for run_id in session.scalars(select(Run.id)):
        prefixes[StorageRoot.LOGS].add(build_logs_prefix(run_id))
        prefixes[StorageRoot.PREDICTIONS].add(build_predictions_key(run_id))
    return References(frozenset().union(*prefixes.values()), open_runs)


def build_blob_check(database: Database) -> Callable[[], bool]:
    """Build the function that says whether rows name blobs, for a storage to recognize its folder.

    It raises StorageUnavailable while the database cannot be read.
    """

    def knows_blobs() -> bool:
        try:
            with database.read() as session:
                return has_blobs(session)
        except SQLAlchemyError as error:
            raise StorageUnavailable(
                "The storage cannot be used before the database can be read."
            ) from error

    return knows_blobs


def has_blobs(session: Session) -> bool:
    """Return whether any row names a blob of the storage."""
    named = (
        exists().where(File.id.is_not(None)),
        exists().where(Model.id.is_not(None)),
        exists().where(Run.artifacts.is_not(None)),
        exists().where(Run.state.is_not(None)),
    )
    return bool(session.scalar(select(or_(*named))))
