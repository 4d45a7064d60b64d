"""The models of one job: the published one, and those that were kept of its runs."""

from typing import NamedTuple

from api.dependencies import AppServices
from shared.db.jobs import Jobs
from shared.db.models import Models


class JobModels(NamedTuple):
    """Models that answer now."""

    published: str | None
    """ID of the published model; None if there is none or it was deleted."""
    kept: list[str]
    """IDs of all stored models of the job's runs, the published one among them."""


def list_job_models(services: AppServices, job_id: str) -> JobModels:
    """List the models of a job. Raises JobNotFound."""
    with services.database.read() as session:
        published = Jobs(session).get(job_id, services.owner_id).fine_tuned_model
        kept = [model.id for model in Models(session, services.owner_id).list_by_job(job_id)]
    return JobModels(published if published in kept else None, kept)
