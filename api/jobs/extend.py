"""Further seeds for a job that is there already: its recipe, its splits and its ended runs stay
as they are.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.idempotency import RequestIdentity
from api.jobs.planning.job_plan import get_encoder_facts
from api.jobs.planning.run_rows import build_runs, cross_seeds
from api.jobs.run_schemas import ExtendRequest
from api.jobs.schemas import JobObject
from api.jobs.service import RESEND_WINDOW_S, find_existing_job, get_job
from shared.db.events import Events
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.run_requests import RunWishes, lock_runs
from shared.db.runs import Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.errors import FileNotFound, InvalidValue, JobNotExtendable, ModelInUse
from shared.domain.naming import FINE_TUNED
from shared.domain.states import JobState


def extend_with_seeds(
    services: AppServices, job_id: str, request: ExtendRequest, identity: RequestIdentity
) -> JobObject:
    """Add the runs in one transaction that also opens the job again.

    Sent again, with its key or within a quarter of an hour by a client that sends none, it adds
    nothing more. A grid grows by seeds of the initialisation, each with all its data seeds; a
    k-fold job by seeds, each with all its folds. Raises JobNotFound; JobNotExtendable for a job
    that was cancelled or discards runs early; InvalidValue for a seed that the job has, and
    where its files are gone; ModelInUse while another job starts from its model.
    """
    digest = hashlib.sha256(f"extend {job_id} {request.model_dump_json()}".encode()).hexdigest()
    known = find_existing_job(services, identity, digest) if identity.key is not None else None
    if known is not None:
        return known
    with services.database.read() as session:
        model = Jobs(session).get(job_id, services.owner_id).model
    get_encoder_facts(services, model)  # still there
    try:
        with services.database.write() as session:
            jobs = Jobs(session)
            jobs.get(job_id, services.owner_id)
            job = lock_job(session, job_id)  # who sent the same at the same moment waits here
            without_key = identity.is_resent and identity.key is None
            if not (without_key and jobs.extended_lately(job, digest, RESEND_WINDOW_S)):
                _add_runs(services, session, job, request)
                jobs.remember_extension(job, digest)
                if identity.key is not None:
                    jobs.remember_key(services.owner_id, identity.key, digest, job_id)
    except IntegrityError:  # the same key, at the same moment: the other request has won
        known = find_existing_job(services, identity, digest)
        if known is None:
            raise
        return known
    return get_job(services, job_id)


def _add_runs(services: AppServices, session: Session, job: Job, request: ExtendRequest) -> None:
    require_extendable_job(services, session, job)
    present = Runs(session).of_job(job.id)
    runs = _build_further_runs(job, request, present)
    Jobs(session).reopen(job)
    Stages(session).add_runs(runs)
    if job.status == JobState.PAUSED:
        session.flush()
        RunWishes(session).pause(job.id)  # they wait with the others
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(run.seed for run in runs))
    Events(session).add(
        job, f"Extended by {len(runs)} runs (seed {seeds}); {len(present)} are kept as they are."
    )


def lock_job(session: Session, job_id: str) -> Job:
    """The job as it is now, and stays until the transaction ends, with its runs."""
    lock_runs(session, job_id)
    query = select(Job).where(Job.id == job_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def require_extendable_job(services: AppServices, session: Session, job: Job) -> None:
    """Raises JobNotExtendable, InvalidValue, ModelNotAllowed or ModelInUse for a job that
    nothing can be trained for any more.
    """
    if job.status == JobState.CANCELLED or job.cancel_requested:
        raise JobNotExtendable(
            f"Job {job.id} was cancelled; create a new one.", param="fine_tuning_job_id"
        )
    if job.early_discard is not None:
        raise JobNotExtendable(
            (
                f"Job {job.id} keeps the best of the runs it started with; one that did not "
                "compete cannot join them."
            ),
            param="fine_tuning_job_id",
        )
    for file_id in (job.training_file, job.validation_file, job.test_file):
        if file_id is not None:
            try:
                Files(session, services.owner_id).get(file_id, for_job=True)
            except FileNotFound:
                raise InvalidValue(
                    (
                        f"File {file_id} of job {job.id} was deleted, so no run can be added; "
                        "upload it again for a new job."
                    ),
                    param="fine_tuning_job_id",
                ) from None
    models = Models(session, services.owner_id)
    if job.model.startswith(FINE_TUNED):
        models.for_job(job.model)
    published = models.hold(job.id)
    user = models.user(*(model.id for model in published))
    if user is not None:
        raise ModelInUse(
            f"Job {user} starts from the model of job {job.id}, which could change.",
            param="fine_tuning_job_id",
        )


def _build_further_runs(
    job: Job, request: ExtendRequest, existing_runs: Sequence[Run]
) -> list[Run]:
    known = {run.init_seed for run in existing_runs}
    again = known & set(request.seeds or [])
    if again:
        raise InvalidValue(f"Job {job.id} has seed {min(again)} already.", param="seeds")
    following = max(run.init_seed for run in existing_runs) + 1
    seeds = request.seeds or [following + i for i in range(request.num_seeds or 0)]
    data_seeds = job.request.get("runs", {}).get("data_seeds")
    folds = list(dict.fromkeys(run.fold for run in existing_runs))
    return build_runs(
        job,
        cross_seeds(seeds, data_seeds),
        existing_runs[-1].total_steps,
        folds,
        first_index=existing_runs[-1].index + 1,
    )
