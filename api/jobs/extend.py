"""Add runs from further seeds to an existing job, keeping its recipe, splits and ended runs."""

import hashlib
from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.extendability import require_extendable_job
from api.jobs.idempotency import RequestIdentity
from api.jobs.locking import lock_job
from api.jobs.planning.encoder_facts import get_encoder_facts
from api.jobs.planning.run_rows import build_runs, cross_seeds
from api.jobs.resent_requests import RESEND_WINDOW_S, find_existing_job, run_unless_resent
from api.jobs.run_schemas import ExtendRequest
from api.jobs.schemas import JobObject
from api.jobs.service import get_job
from shared.db.events import Events
from shared.db.idempotency import IdempotencyKeys
from shared.db.jobs import Jobs
from shared.db.run_requests import RunRequests
from shared.db.runs import Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.errors import InvalidValue
from shared.domain.states import JobState


def extend_with_seeds(
    services: AppServices, job_id: str, request: ExtendRequest, identity: RequestIdentity
) -> JobObject:
    """Add the runs in one transaction that also reopens the job.

    A request that is sent again adds nothing more. A grid grows by initialisation seeds, each with
    all its data seeds; a k-fold job by seeds, each with all its folds. Raises JobNotFound,
    InvalidValue for a seed that the job has, and what ``require_extendable_job`` raises.
    """
    digest = hashlib.sha256(f"extend {job_id} {request.model_dump_json()}".encode()).hexdigest()
    existing = find_existing_job(services, identity, digest) if identity.key is not None else None
    if existing is not None:
        return get_job(services, existing)
    _require_base_model(services, job_id)

    def extend() -> str:
        with services.database.write() as session:
            keys = IdempotencyKeys(session)
            job = lock_job(services, session, job_id)  # a copy sent meanwhile waits here
            is_keyless_copy = identity.is_resent and identity.key is None
            if not (is_keyless_copy and keys.was_extended_recently(job, digest, RESEND_WINDOW_S)):
                _add_runs(services, session, job, request)
                keys.record_extension(job, digest)
                if identity.key is not None:
                    keys.record_idempotency_key(services.owner_id, identity.key, digest, job_id)
            return job_id

    return get_job(services, run_unless_resent(services, identity, digest, extend))


def _require_base_model(services: AppServices, job_id: str) -> None:
    with services.database.read() as session:
        model = Jobs(session).get(job_id, services.owner_id).model
    get_encoder_facts(services, model)


def _add_runs(services: AppServices, session: Session, job: Job, request: ExtendRequest) -> None:
    require_extendable_job(services, session, job)
    existing_runs = Runs(session).list_by_job(job.id)
    runs = _build_further_runs(job, request, existing_runs)
    Jobs(session).reopen_job(job)
    Stages(session).add_runs(runs)
    if job.status == JobState.PAUSED:
        session.flush()
        RunRequests(session).pause_runs(job.id)
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(run.seed for run in runs))
    Events(session).add(
        job,
        f"Extended by {len(runs)} runs (seed {seeds}); {len(existing_runs)} are kept as they are.",
    )


def _build_further_runs(
    job: Job, request: ExtendRequest, existing_runs: Sequence[Run]
) -> list[Run]:
    existing_seeds = {run.init_seed for run in existing_runs}
    repeated = existing_seeds & set(request.seeds or [])
    if repeated:
        raise InvalidValue(
            f"Job {job.id} already has seed {min(repeated)}; give other seeds.", param="seeds"
        )
    next_seed = max(existing_seeds) + 1
    seeds = request.seeds or [next_seed + offset for offset in range(request.num_seeds or 0)]
    data_seeds = job.request.runs.data_seeds
    folds = list(dict.fromkeys(run.fold for run in existing_runs))
    return build_runs(
        job,
        cross_seeds(seeds, data_seeds),
        existing_runs[-1].total_steps,
        folds,
        first_index=existing_runs[-1].index + 1,
    )
