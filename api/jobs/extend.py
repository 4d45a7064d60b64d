"""Add runs from further seeds to an existing job, keeping its recipe, splits and ended runs."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.extendability import require_extendable_job
from api.jobs.idempotency import (
    compute_request_digest,
    is_repeated_extension,
    record_extension,
    run_once,
)
from api.jobs.locking import lock_job
from api.jobs.planning.main_runs import build_runs, cross_seeds
from api.jobs.planning.start_model import require_start_model
from api.jobs.request_identity import RequestIdentity
from api.jobs.run_schemas import ExtendRequest
from api.jobs.schemas import JobObject
from api.jobs.service import get_job
from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.owner_limits import OwnerUsage, lock_owner_usage
from shared.db.run_requests import RunRequests
from shared.db.runs import Runs
from shared.db.stages import Stages, build_distillation_run
from shared.db.tables import Job, Run
from shared.domain.errors import InvalidValue
from shared.domain.job_facts import SINGLE_SEED_WARNING
from shared.domain.states import ENDED_JOB_STATES, JobState, Purpose, RunState
from shared.domain.wording import format_count


def extend_with_seeds(
    services: AppServices, job_id: str, request: ExtendRequest, identity: RequestIdentity
) -> JobObject:
    """Add the runs in one transaction that also reopens the job.

    A repeated request adds its runs only once. A grid grows by initialization seeds, each with all
    its data seeds; a k-fold job by seeds, each with all its folds. Raises JobNotFound, InvalidValue
    for a seed that the job has, and what ``require_extendable_job`` raises.
    """
    digest = compute_request_digest(request, f"extend {job_id} ")

    def extend() -> str:
        _require_base_model(services, job_id)
        with services.database.write() as session:
            job = lock_job(services, session, job_id)  # a concurrent copy waits here
            if not is_repeated_extension(session, job, identity, digest):
                _add_runs(services, session, job, request)
                record_extension(session, job, identity, digest)
        return job_id

    return get_job(services, run_once(services, identity, digest, extend))


def _require_base_model(services: AppServices, job_id: str) -> None:
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
    require_start_model(services, job)


def _add_runs(services: AppServices, session: Session, job: Job, request: ExtendRequest) -> None:
    require_extendable_job(services, session, job)
    existing_runs = Runs(session).list_by_job(job.id)
    runs = _build_further_runs(job, request, existing_runs)
    distillations = _build_further_distillation(session, job, runs)
    usage = lock_owner_usage(session, job.owner_id, services.settings)
    _require_room(usage, job, len(runs), len(distillations))
    Jobs(session).reopen_job(job)
    job.warnings = [found for found in job.warnings if found.code != SINGLE_SEED_WARNING]
    Stages(session).add_runs([*runs, *distillations])
    if job.status == JobState.PAUSED:
        session.flush()
        RunRequests(session).pause_runs(job.id)
    Events(session).add(job, _describe_extension(runs, len(existing_runs)))


def _require_room(usage: OwnerUsage, job: Job, added: int, distillations: int) -> None:
    """Raise OpenJobsLimit, JobRunsLimit or QueuedRunsLimit."""
    if job.status in ENDED_JOB_STATES:
        usage.require_room_for_job()
    usage.require_runs_within_job(job.id, added, param="num_seeds")
    usage.require_room_for_runs(added + distillations)


def _build_further_distillation(session: Session, job: Job, runs: Sequence[Run]) -> list[Run]:
    """Return a distillation that includes the added runs, unless one is waiting for them."""
    if job.request.artifacts.publish != "distilled":
        return []
    earlier = Runs(session).list_by_job(job.id, purpose=Purpose.DISTILLATION)
    if any(run.held and run.status == RunState.QUEUED for run in earlier):
        return []
    return [build_distillation_run(job, runs[0].total_steps, index=len(earlier))]


def _describe_extension(runs: Sequence[Run], existing_count: int) -> str:
    seeds = list(dict.fromkeys(run.seed for run in runs))
    count = format_count(len(runs), "run")
    named = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return f"Added {count} ({named}). Existing runs: {existing_count}, which are kept."


def _list_further_seeds(
    job_id: str, request: ExtendRequest, existing_seeds: AbstractSet[int]
) -> list[int]:
    repeated = existing_seeds & set(request.seeds or [])
    if repeated:
        raise InvalidValue(
            f"Job {job_id} already has seed {min(repeated)}; give other seeds.", param="seeds"
        )
    next_seed = max(existing_seeds) + 1
    return request.seeds or [next_seed + offset for offset in range(request.num_seeds or 0)]


def _build_further_runs(
    job: Job, request: ExtendRequest, existing_runs: Sequence[Run]
) -> list[Run]:
    seeds = _list_further_seeds(job.id, request, {run.init_seed for run in existing_runs})
    data_seeds = job.request.runs.data_seeds
    folds = list(dict.fromkeys(run.fold for run in existing_runs))
    return build_runs(
        job,
        cross_seeds(seeds, data_seeds),
        existing_runs[-1].total_steps,
        folds,
        first_index=existing_runs[-1].index + 1,
    )
