"""Check whether further runs of a job can still be trained."""

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from shared.db.files import Files
from shared.db.models import Models
from shared.db.tables import Job
from shared.domain.errors import FileNotFound, InvalidValue, JobNotExtendable, ModelInUse
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.states import JobState


def require_extendable_job(services: AppServices, session: Session, job: Job) -> None:
    """Raise if no further run of the job can be trained.

    JobNotExtendable: the job was cancelled or discards runs early. InvalidValue: one of its files
    was deleted. ModelNotAllowed: its base model is gone. ModelInUse: another job starts from the
    job's model.
    """
    _require_comparable_runs(job)
    _require_files(services, session, job)
    _require_models(Models(session, services.owner_id), job)


def _require_comparable_runs(job: Job) -> None:
    if job.status == JobState.CANCELLED or job.cancel_requested:
        raise JobNotExtendable(
            f"Job {job.id} was cancelled; create a new job.", param="fine_tuning_job_id"
        )
    if job.early_discard is not None:
        raise JobNotExtendable(
            f"Job {job.id} discards runs early, so further runs could not be compared with the "
            "discarded ones. Create a new job.",
            param="fine_tuning_job_id",
        )


def _require_models(models: Models, job: Job) -> None:
    """Raise if the base model cannot be used, or if another job starts from the job's models."""
    if job.model.startswith(FINE_TUNED_PREFIX):
        models.get_for_new_job(job.model)
    published = models.lock_of_job(job.id)
    user = models.find_dependent_job_id(*(model.id for model in published))
    if user is not None:
        raise ModelInUse(
            f"Job {user} starts from the model of job {job.id}, which further runs could replace. "
            f"Cancel job {user} or wait until it has ended.",
            param="fine_tuning_job_id",
        )


def _require_files(services: AppServices, session: Session, job: Job) -> None:
    for file_id in (job.training_file, job.validation_file, job.test_file):
        if file_id is None:
            continue
        try:
            Files(session, services.owner_id).get(file_id, for_job=True)
        except FileNotFound:
            raise InvalidValue(
                f"File {file_id} of job {job.id} was deleted, so no run can be added. Upload the "
                "file again and create a new job.",
                param="fine_tuning_job_id",
            ) from None
