"""The storage keys and scratch folders that rows still refer to, for the garbage collection."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.tables import File, Model, Run, Upload
from shared.domain.states import OPEN_RUN_STATES, UploadState
from shared.infra.storage import build_file_key, build_logs_prefix, build_parts_prefix


@dataclass(frozen=True)
class References:
    """What rows refer to at one moment."""

    prefixes: frozenset[str]
    """Storage keys, and prefixes of keys."""
    open_runs: frozenset[str]
    """IDs of the runs that have not ended."""


def collect_references(session: Session) -> References:
    open_runs = frozenset(session.scalars(select(Run.id).where(Run.status.in_(OPEN_RUN_STATES))))
    files = {build_file_key(sha256) for sha256 in session.scalars(select(File.sha256).distinct())}
    artifacts = session.scalars(select(Run.artifacts).where(Run.artifacts.is_not(None)))
    runs = {prefix for prefix in artifacts if prefix}
    models = set(session.scalars(select(Model.prefix)))
    pending = session.scalars(select(Upload.id).where(Upload.status == UploadState.PENDING))
    uploads = {build_parts_prefix(upload_id) for upload_id in pending}
    logs = {build_logs_prefix(run_id) for run_id in session.scalars(select(Run.id))}
    open_prefixes = {f"runs/{run_id}" for run_id in open_runs}
    return References(frozenset(files | uploads | runs | models | logs | open_prefixes), open_runs)
