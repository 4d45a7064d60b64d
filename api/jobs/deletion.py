"""Deleting an ended job: its rows, its models, its result files and the logs of its runs."""

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.files import service as files
from api.jobs.extend import lock_job
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.runs import Runs
from shared.domain.errors import FileNotFound, JobNotEnded
from shared.domain.states import JOB_OPEN
from shared.infra.storage import logs_prefix


def delete_job(services: AppServices, job_id: str) -> None:
    """Raises JobNotFound; JobNotEnded; ModelInUse while another job starts from its model."""
    with services.database.write() as session:
        job = lock_job(session, Jobs(session).get(job_id, services.owner_id).id)
        if job.status in JOB_OPEN:
            raise JobNotEnded(
                (
                    f"Job {job_id} is {job.status}; cancel it, or wait for its end, before it "
                    "is deleted."
                ),
                param="fine_tuning_job_id",
            )
        models = Models(session, services.owner_id)
        prefixes = [models.delete(model.id).prefix for model in models.of_job(job_id)]
        results = [
            file_id
            for file_id in job.result_files
            if _has_file(session, services.owner_id, file_id)
        ]
        run_ids = Runs(session).ids_of_job(job_id)
        session.flush()
        session.delete(job)  # the database deletes what refers to it
    for prefix in prefixes:
        services.storage.delete_prefix(prefix)
        services.model_server.evict_model(prefix)
    for run_id in run_ids:
        services.storage.delete_prefix(logs_prefix(run_id))
    for file_id in results:
        files.delete_file(services, file_id)


def _has_file(session: Session, owner_id: str, file_id: str) -> bool:
    try:
        Files(session, owner_id).get(file_id)
    except FileNotFound:
        return False
    return True
