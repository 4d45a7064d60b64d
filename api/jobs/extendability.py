"""Check whether further runs of a job can still be trained."""

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.models.uploaded import is_uploaded
from shared.db.files import Files
from shared.db.models import Models
from shared.db.tables import Job
from shared.domain.errors import (
    FileNotFound,
    InvalidValue,
    JobNotExtendable,
    ModelInUse,
    ModelNotAllowed,
)
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.states import ENDED_JOB_STATES, JobState


def require_extendable_job(services: AppServices, session: Session, job: Job) -> None:
    """Raise if no further run of the job can be trained.

    JobNotExtendable: the job was cancelled, discards runs early, or kept nothing but a distilled
    model. InvalidValue: one of its files was deleted. ModelNotAllowed: its base model is gone or
    was replaced. ModelInUse: another job starts from the job's model.
    """
    _require_comparable_runs(job)
    _require_teachers(job)
    _require_files(services, session, job)
    if is_uploaded(job.model):
        Files(session, services.owner_id).get_model(job.model, for_job=True)
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


def _require_teachers(job: Job) -> None:
    """Raise if the job published a distilled model and deleted the runs' models."""
    is_distilled = job.publication is not None and job.publication.kind == "distilled"
    has_ended = job.status in ENDED_JOB_STATES
    if is_distilled and has_ended and job.request.artifacts.keep != "all_runs":
        raise JobNotExtendable(
            f"Job {job.id} published a distilled model and kept no other, so its runs cannot be "
            'distilled again. Create a new job with artifacts.keep "all_runs".',
            param="fine_tuning_job_id",
        )


def _require_models(models: Models, job: Job) -> None:
    """Raise if the base model cannot be used, or if another job starts from the job's models."""
    if job.model.startswith(FINE_TUNED_PREFIX):
        models.get_for_new_job(job.model)
        _require_same_weights(models, job)
    published = models.lock_of_job(job.id)
    user = models.find_dependent_job_id(*published)
    if user is not None:
        raise ModelInUse(
            f"Job {user} starts from the model of job {job.id}, which further runs could replace. "
            f"Cancel job {user} or wait until it has ended.",
            param="fine_tuning_job_id",
        )


def _require_same_weights(models: Models, job: Job) -> None:
    if models.find_base_model(job) is None:
        raise ModelNotAllowed(
            f"Model {job.model} has other weights than those that job {job.id} started from, so "
            "further runs could not be compared. Create a new job.",
            param="fine_tuning_job_id",
        )


def _require_files(services: AppServices, session: Session, job: Job) -> None:
    used = (job.training_file, job.validation_file, job.test_file, job.unlabelled_file)
    for file_id in used:
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
