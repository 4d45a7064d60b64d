"""Delete an ended job with its rows, models, result files and run logs."""

from collections.abc import Sequence

from api.dependencies import AppServices
from api.files import service as files
from api.jobs.locking import lock_job
from shared.db.files import Files
from shared.db.models import Models
from shared.db.runs import Runs
from shared.db.tables import Job
from shared.domain.errors import FileNotFound, JobNotEnded
from shared.domain.states import OPEN_JOB_STATES
from shared.infra.storage import build_logs_prefix


def delete_job(services: AppServices, job_id: str) -> None:
    """Delete the job.

    Raises JobNotFound; JobNotEnded; ModelInUse while another job starts from its model.
    """
    with services.database.write() as session:
        job = lock_job(services, session, job_id)
        _require_ended(job)
        models = Models(session, services.owner_id)
        prefixes = [models.delete(model.id).prefix for model in models.list_by_job(job_id)]
        files_of_owner = Files(session, services.owner_id)
        result_ids = [one for one in job.result_files if _has_file(files_of_owner, one)]
        run_ids = Runs(session).list_ids_by_job(job_id)
        session.flush()
        session.delete(job)  # the database deletes the rows that refer to it
    _delete_stored_content(services, prefixes, run_ids)
    for file_id in result_ids:
        files.delete_file(services, file_id)


def _require_ended(job: Job) -> None:
    if job.status in OPEN_JOB_STATES:
        raise JobNotEnded(
            f"Job {job.id} is {job.status}; cancel it or wait until it has ended, then delete it.",
            param="fine_tuning_job_id",
        )


def _delete_stored_content(
    services: AppServices, model_prefixes: Sequence[str], run_ids: Sequence[str]
) -> None:
    for prefix in model_prefixes:
        services.storage.delete_prefix(prefix)
        services.model_server.evict_model(prefix)
    for run_id in run_ids:
        services.storage.delete_prefix(build_logs_prefix(run_id))


def _has_file(files_of_owner: Files, file_id: str) -> bool:
    try:
        files_of_owner.get(file_id)
    except FileNotFound:
        return False
    return True
