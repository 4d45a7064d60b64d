"""The sample data set and a small job on it, made with one click."""

import threading
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.files import service as files
from api.jobs import creation
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import JobRequest
from shared.datasets.sample_dataset import write_dataset
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import ServiceUnavailable

FILENAME: Final = "sample-docstrings.csv"
ROWS: Final = 240
PURPOSE: Final = "fine-tune"
SETTINGS: Final = {
    "suffix": "sample",
    "recipe": {"preset": "debiased", "pooling": "mean", "head_first": True, "max_steps": 60},
    "runs": {"num_seeds": 5},
    "split": {"validation_fraction": 0.2, "test_fraction": 0.3},
}
"""No pilots, and few steps from a fitted head: in about a minute on two cores there is a result
that is better than the frozen encoder's."""


_ONE_AT_A_TIME: Final = threading.Lock()
"""Python 3.11 fails at random where two threads build syntax trees (SystemError)."""


async def create_sample_job(services: AppServices, identity: RequestIdentity) -> str:
    """Store the data set and create the job; return the job's ID.

    A form that is sent twice has the same identity, and creates one job.
    """
    file_id = await services.heavy.uploads.run(services.owner_id, _store_dataset, services)
    request = JobRequest.model_validate({"training_file": file_id, **SETTINGS})
    digest = f"sample {identity.key}"
    job = await services.heavy.jobs.run(
        services.owner_id, creation.create_job, services, request, identity, digest
    )
    return job.id


class _StoredMeanwhileError(Exception):
    """A copy of the request, as of a double click, has stored the same bytes."""

    def __init__(self, file_id: str) -> None:
        super().__init__(file_id)
        self.file_id = file_id


def _store_dataset(services: AppServices) -> str:
    """Return the ID of the owner's file with these bytes, which is stored if there is none."""
    with files.create_scratch_folder(services) as folder:
        received = _write_dataset(services, folder)
        with services.database.read() as session:
            stored = Files(session, services.owner_id).find_by_content(received.sha256, PURPOSE)
        if stored is not None:
            return stored.id
        files.require_room_for_file(services, received.bytes)
        details = files.FileDetails(FILENAME, PURPOSE)
        try:
            return files.store_file(services, received, details, _refuse_second_copy).id
        except _StoredMeanwhileError as copy:
            return copy.file_id


def _write_dataset(services: AppServices, folder: Path) -> files.ReceivedFile:
    path = folder / FILENAME
    try:
        with _ONE_AT_A_TIME:
            write_dataset(path, ROWS)
    except ValueError as error:
        raise ServiceUnavailable(
            f"The sample data set cannot be made here: {error} Upload a file of your own."
        ) from None
    with path.open("rb") as source:
        limit = files.get_size_limit(services, PURPOSE)
        return files.receive_file(source, folder / "upload", limit)


def _refuse_second_copy(session: Session, file: File) -> None:
    """Look again in the transaction of the insertion, which has locked the digest."""
    stored = Files(session, file.owner_id).find_by_content(file.sha256, PURPOSE)
    if stored is not None:
        raise _StoredMeanwhileError(stored.id)
