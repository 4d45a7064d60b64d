"""The check of a home: rows against blobs, blobs against rows, content against digests.

``evenkeel doctor`` prints the findings; the fault tests demand that there are none.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.file_content import stream_content
from shared.db.jobs import Jobs
from shared.db.orphans import delete_orphan
from shared.db.references import collect_references
from shared.db.session import Database
from shared.db.tables import File, Job, Model, Run
from shared.domain.states import JobState, RunState
from shared.domain.wording import format_count
from shared.infra.storage import Storage
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import StorageRoot, is_below_prefix

REPUBLISHED_MESSAGE = "The job is published again from the models that the storage has."
_PUBLISH_CODES = frozenset({"publish_failed", "artifacts_missing"})


class Problem(StrEnum):
    ORPHAN = "blob_without_row"
    """Mended by deleting the blob."""
    FILE_MISSING = "file_without_blob"
    """The file must be uploaded again."""
    FILE_CHANGED = "file_with_other_content"
    """The file must be uploaded again."""
    MODEL_MISSING = "model_without_blob"
    """The job must be cloned."""
    UNPUBLISHED = "job_not_published"
    """A job failed while publishing although models of its runs are there; mended by publishing."""


class Finding(NamedTuple):
    problem: Problem
    subject: str
    """ID of the row, or key of the blob."""
    message: str


def find_problems(
    database: Database, storage: Storage, *, checks_digests: bool = True, grace_seconds: float = 0
) -> list[Finding]:
    """Compare rows and blobs, and return what does not fit.

    ``checks_digests`` reads every file. Orphans newer than ``grace_seconds`` are left out: the
    rows of a service at work may follow their blobs. Raises StorageUnavailable.
    """
    with database.read() as session:
        references = collect_references(session)
        files = session.scalars(select(File).order_by(File.id)).all()
        models = session.scalars(select(Model).order_by(Model.id)).all()
        unpublished = _list_unpublished_jobs(session)
    return [
        *_find_orphans(storage, references.prefixes, grace_seconds),
        *(found for file in files for found in _check_file(storage, file, checks_digests)),
        *(found for model in models for found in _check_model(storage, model)),
        *(found for job, runs in unpublished for found in _check_job(storage, job, runs)),
    ]


def mend_problems(
    database: Database, storage: Storage, findings: list[Finding], *, grace_seconds: float = 0
) -> list[Finding]:
    """Mend what can be, and return the findings that were mended.

    ``grace_seconds`` is that of ``find_problems``.
    """
    with database.read() as session:  # again: reading every file may have taken long
        prefixes = collect_references(session).prefixes
    mended = []
    for finding in findings:
        if finding.problem is Problem.ORPHAN:
            if is_below_prefix(finding.subject, prefixes):
                continue  # it has a row by now
            newest = datetime.now(UTC) - timedelta(seconds=grace_seconds)
            if not delete_orphan(database, storage, finding.subject, modified_before=newest):
                continue
        elif finding.problem is Problem.UNPUBLISHED:
            with database.write() as session:
                job = session.get_one(Job, finding.subject)
                Jobs(session).reopen_job(job)
                Events(session).add(job, REPUBLISHED_MESSAGE, level="warn")
        else:
            continue
        mended.append(finding)
    return mended


def _find_orphans(
    storage: Storage, prefixes: frozenset[str], grace_seconds: float
) -> Iterator[Finding]:
    newest = datetime.now(UTC) - timedelta(seconds=grace_seconds)
    for root in StorageRoot:
        for blob in storage.list(root):
            if blob.modified <= newest and not is_below_prefix(blob.key, prefixes):
                yield Finding(
                    Problem.ORPHAN, blob.key, f"{blob.key}: {blob.bytes:,} bytes that no row names."
                )


def _check_file(storage: Storage, file: File, checks_digests: bool) -> Iterator[Finding]:
    title = f"File {file.id} ({file.filename})"
    try:
        chunks = stream_content(storage, file)
    except BlobMissing:
        message = f"{title} has no content. {_get_remedy(file)}"
        yield Finding(Problem.FILE_MISSING, file.id, message)
        return
    if not checks_digests:
        return
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        message = f"{title} has another content than was stored. {_get_remedy(file)}"
        yield Finding(Problem.FILE_CHANGED, file.id, message)


def _get_remedy(file: File) -> str:
    return "Upload it again." if file.folder is None else "Clone its job to train the model again."


def _check_model(storage: Storage, model: Model) -> Iterator[Finding]:
    if not any(storage.list(model.prefix)):
        message = f"Model {model.id} has no files. Clone job {model.job_id} to train it again."
        yield Finding(Problem.MODEL_MISSING, model.id, message)


def _list_unpublished_jobs(session: Session) -> list[tuple[Job, list[Run]]]:
    """List jobs that failed while publishing, with their succeeded runs."""
    succeeded = (Run.job_id == Job.id, Run.status == RunState.SUCCEEDED)
    query = select(Job).where(Job.status == JobState.FAILED, exists().where(*succeeded))
    jobs = session.scalars(query.order_by(Job.id)).all()
    return [
        (
            job,
            list(
                session.scalars(
                    select(Run)
                    .where(Run.job_id == job.id, Run.status == RunState.SUCCEEDED)
                    .where(Run.artifacts.is_not(None))
                )
            ),
        )
        for job in jobs
        if job.error is not None and job.error.code in _PUBLISH_CODES
    ]


def _check_job(storage: Storage, job: Job, runs: list[Run]) -> Iterator[Finding]:
    stored = [run for run in runs if run.artifacts and any(storage.list(run.artifacts))]
    if stored:
        kept = format_count(len(stored), "run")
        message = f"Job {job.id} was not published, although the models of {kept} are stored."
        yield Finding(Problem.UNPUBLISHED, job.id, message)
