"""The stored predictions of a job's runs, row by row, with the texts of the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.dependencies import AppServices
from api.files.service import create_scratch_folder, fetch_table_source, read_within
from api.runs.predicted_rows import RowFilter, RowsPage, StoredRun, read_texts, select_rows
from shared.datasets.errors import ReadingLimitExceeded
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.tables import Job, Run
from shared.domain.errors import FileNotFound, InvalidRequest, InvalidValue, RunNotFound
from shared.domain.states import RunState
from shared.domain.task import SplitRequest, Task
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_predictions_key

MAX_READ_BYTES: Final = 128 * 1024**2
"""Stored predictions that are compared at most; further runs are left out, and said to be."""
CPU_SECONDS: Final = 20.0


@dataclass(frozen=True)
class JobRows:
    """A page of rows, their texts, and what they were read from."""

    page: RowsPage
    texts: Mapping[int, tuple[str, str | None, bool]]
    """By row: text, second text, whether either was cut. Empty if they cannot be read."""
    missing_texts: str
    """Why there are no texts; empty if there are."""
    compared_runs: int
    """Runs whose predictions were read."""
    left_out_runs: int
    """Succeeded runs that were not, because there are too many."""


def has_predictions(services: AppServices, run_ids: Sequence[str]) -> bool:
    """Return whether the first of these succeeded runs has stored predictions."""
    return bool(run_ids) and services.storage.exists(build_predictions_key(run_ids[0]))


def read_rows(services: AppServices, job_id: str, wanted: RowFilter) -> JobRows:
    """Return the wanted rows of a job. Raises JobNotFound, RunNotFound for a run without stored
    predictions, and InvalidRequest if there are too many to read.
    """
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        runs = [
            run for run in Runs(session).list_by_job(job_id) if run.status == RunState.SUCCEEDED
        ]
    if not isinstance(job.task, Task):
        raise InvalidRequest("The job was stored by another version, which reads its rows.")
    # the shown run is read, however many others there are
    ordered = sorted(runs, key=lambda run: run.id != wanted.run_id)
    try:
        with create_scratch_folder(services) as folder:
            stored = _fetch_predictions(services, ordered, folder)
            if wanted.run_id is not None and wanted.run_id not in {one.run_id for one in stored}:
                raise RunNotFound(
                    f"Run {wanted.run_id[:80]!r} has no stored predictions.", param="run"
                )
            page = services.readers.run_within(CPU_SECONDS, select_rows, stored, job.task, wanted)
    except ReadingLimitExceeded as error:
        raise InvalidRequest(
            f"The predictions cannot be shown: {error.message} Read predictions.csv instead."
        ) from None
    texts, reason = _read_texts(services, job, wanted.split, [row.row for row in page.rows])
    return JobRows(page, texts, reason, len(stored), len(runs) - len(stored))


def find_file_id(job: Job, split: str) -> str:
    """Return the ID of the file that a split's rows are in."""
    is_halved = isinstance(job.split, SplitRequest) and job.split.halve_validation
    if split == "test" and job.test_file is not None:
        return job.test_file
    if (split == "validation" or is_halved) and job.validation_file is not None:
        return job.validation_file
    return job.training_file


def _fetch_predictions(services: AppServices, runs: Sequence[Run], folder: Path) -> list[StoredRun]:
    """Copy predictions to this machine's disk, up to ``MAX_READ_BYTES``."""
    stored: list[StoredRun] = []
    size = 0
    for run in runs:
        blob = services.storage.find(build_predictions_key(run.id))
        if blob is None or size + blob.bytes > MAX_READ_BYTES:
            continue
        size += blob.bytes
        path = folder / f"{len(stored)}.json"
        try:
            with path.open("wb") as target:
                target.writelines(services.storage.stream(blob.key))
        except BlobMissing:
            continue  # deleted meanwhile
        stored.append(StoredRun(run.id, path, is_sound=not run.degenerate))
    return stored


def _read_texts(
    services: AppServices, job: Job, split: str, rows: Sequence[int]
) -> tuple[Mapping[int, tuple[str, str | None, bool]], str]:
    """Return the texts of the rows, or why there are none."""
    assert isinstance(job.task, Task)
    if not rows:
        return {}, ""
    try:
        with services.database.read() as session:
            file = Files(session, services.owner_id).get(find_file_id(job, split), param="file")
    except FileNotFound:
        return {}, "The file was deleted, so its texts cannot be shown."
    try:
        with fetch_table_source(services, file, job.task.header, param="file") as source:
            return read_within(services, CPU_SECONDS, source, read_texts, job.task, rows), ""
    except InvalidValue as error:
        return {}, error.message
