"""What takes the room in the storage: each model, file, upload and job's runs of an owner."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.tables import File, Model, Run, Upload
from shared.infra.storage import Storage
from shared.infra.storage_keys import (
    StorageRoot,
    build_file_key,
    build_parts_prefix,
    list_run_prefixes,
)


class StoredItem(NamedTuple):
    kind: Literal["model", "file", "upload", "runs"]
    id: str
    """ID of the model, the file or the upload; of the job for ``runs``."""
    job_id: str | None
    name: str | None
    """Name of the file; None for the others."""
    bytes: int


def measure_prefixes(storage: Storage) -> Mapping[str, int]:
    """Return the bytes below every prefix of the storage. Raises StorageUnavailable."""
    sizes: Counter[str] = Counter()
    for root in StorageRoot:
        for blob in storage.list(root):
            parts = blob.key.split("/")
            for depth in range(1, len(parts) + 1):
                sizes["/".join(parts[:depth])] += blob.bytes
    return sizes


def list_stored_items(
    session: Session, owner_id: str, sizes: Mapping[str, int]
) -> list[StoredItem]:
    """List what the owner has in the storage, the largest first; no byte is counted twice.

    ``sizes`` are the bytes by prefix. A model's zip file is made of its folder: it counts only
    once the model has been deleted.
    """
    items = [
        *_list_models(session, owner_id, sizes),
        *_list_files(session, owner_id, sizes),
        *_list_uploads(session, owner_id, sizes),
        *_list_runs(session, owner_id, sizes),
    ]
    return sorted((item for item in items if item.bytes), key=lambda item: (-item.bytes, item.id))


def _list_models(session: Session, owner_id: str, sizes: Mapping[str, int]) -> Iterator[StoredItem]:
    query = select(Model.id, Model.job_id, Model.prefix).where(Model.owner_id == owner_id)
    for model_id, job_id, prefix in session.execute(query):
        yield StoredItem("model", model_id, job_id, None, sizes.get(prefix, 0))


def _list_files(session: Session, owner_id: str, sizes: Mapping[str, int]) -> Iterator[StoredItem]:
    counted = set(session.scalars(select(Model.prefix).where(Model.owner_id == owner_id)))
    columns = File.id, File.filename, File.sha256, File.folder
    query = select(*columns).where(File.owner_id == owner_id).order_by(File.created_at, File.id)
    for file_id, filename, sha256, folder in session.execute(query):
        prefix = folder or build_file_key(sha256)
        if prefix not in counted:
            counted.add(prefix)
            yield StoredItem("file", file_id, None, filename, sizes.get(prefix, 0))


def _list_uploads(
    session: Session, owner_id: str, sizes: Mapping[str, int]
) -> Iterator[StoredItem]:
    query = select(Upload.id, Upload.filename).where(Upload.owner_id == owner_id)
    for upload_id, filename in session.execute(query):
        size = sizes.get(build_parts_prefix(upload_id), 0)
        yield StoredItem("upload", upload_id, None, filename, size)


def _list_runs(session: Session, owner_id: str, sizes: Mapping[str, int]) -> Iterator[StoredItem]:
    """List what the runs of each job have besides their models: states, logs, predictions."""
    by_job: Counter[str] = Counter()
    for run_id, job_id in session.execute(
        select(Run.id, Run.job_id).where(Run.owner_id == owner_id)
    ):
        by_job[job_id] += sum(sizes.get(prefix, 0) for prefix in list_run_prefixes(run_id))
    of_models = select(Model.job_id, Model.prefix).where(Model.owner_id == owner_id)
    for job_id, prefix in session.execute(of_models):
        if prefix.startswith(f"{StorageRoot.RUNS}/"):  # a run's own folder, listed as a model
            by_job[job_id] -= sizes.get(prefix, 0)
    for job_id, size in by_job.items():
        yield StoredItem("runs", job_id, job_id, None, size)
