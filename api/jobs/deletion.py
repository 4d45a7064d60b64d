"""Delete an ended job with its rows, models, result files and run logs."""

from collections.abc import Sequence
from typing import NamedTuple

from api.blob_deletion import delete_blobs
from api.dependencies import AppServices
from api.files import service as files
from api.jobs.locking import lock_job
from shared.db.file_content import list_unused_folders
from shared.db.files import Files
from shared.db.models import Models
from shared.db.runs import Runs
from shared.db.tables import Job
from shared.domain.errors import FileNotFound, JobNotEnded
from shared.domain.states import OPEN_JOB_STATES
from shared.infra.storage_keys import list_run_prefixes


def delete_job(services: AppServices, job_id: str) -> None:
    """Delete the job.

    Raises JobNotFound; JobNotEnded; ModelInUse while another job starts from its model.
    """
    deleted = services.disk_reserve.run_deletion(lambda: _delete_rows(services, job_id))
    services.page_cache.delete_job(job_id)
    _delete_stored_content(services, deleted)
    for file_id in deleted.result_file_ids:
        files.delete_file(services, file_id)


class _DeletedRows(NamedTuple):
    """What the rows of a deleted job referred to."""

    model_prefixes: list[str]
    unused_folders: list[str]
    """Those of the models that no result file needs."""
    run_ids: Sequence[str]
    result_file_ids: list[str]


def _delete_rows(services: AppServices, job_id: str) -> _DeletedRows:
    with services.database.write() as session:
        job = lock_job(services, session, job_id)
        _require_ended(job)
        models = Models(session, services.owner_id)
        prefixes = []
        # the published model is first: it is deleted with the members of its ensemble
        while remaining := models.list_by_job(job_id):
            prefixes += [model.prefix for model in models.delete(remaining[0].id)]
        files_of_owner = Files(session, services.owner_id)
        result_ids = [one for one in job.result_files if _has_file(files_of_owner, one)]
        run_ids = Runs(session).list_ids_by_job(job_id)
        session.flush()
        session.delete(job)  # the database deletes the rows that refer to it
        unused = list_unused_folders(session, prefixes)
    return _DeletedRows(prefixes, unused, run_ids, result_ids)


def _require_ended(job: Job) -> None:
    if job.status in OPEN_JOB_STATES:
        raise JobNotEnded(
            f"Job {job.id} is {job.status}; cancel it or wait until it has ended, then delete it.",
            param="fine_tuning_job_id",
        )


def _delete_stored_content(services: AppServices, deleted: _DeletedRows) -> None:
    delete_blobs(services, deleted.unused_folders)
    for prefix in deleted.model_prefixes:
        services.model_server.evict_model(prefix)
    run_prefixes = [prefix for run_id in deleted.run_ids for prefix in list_run_prefixes(run_id)]
    delete_blobs(services, run_prefixes)


def _has_file(files_of_owner: Files, file_id: str) -> bool:
    try:
        files_of_owner.get(file_id)
    except FileNotFound:
        return False
    return True
