"""/v1/fine_tuning/jobs/{job_id}/runs: one run a seed, with its metric series."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.pagination import Listing, build_listing
from api.runs import service
from api.runs.schemas import RunDetails, RunMetrics, RunObject, Series
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.domain.errors import (
    InvalidValue,
    JobNotExtendable,
    JobNotFound,
    ModelInUse,
    ModelNotAllowed,
    RunAlreadyEnded,
    RunNotFound,
    RunNotRetryable,
)

router = APIRouter(prefix="/v1/fine_tuning/jobs/{job_id}/runs", tags=["runs"])
StepQuery = Annotated[
    int | None,
    Query(ge=0, le=10_000_000, description="Only points from, or up to, this optimiser step."),
]


@router.get("", responses=document_errors(JobNotFound))
def list_runs(
    services: ServicesDep,
    job_id: str,
    purpose: Annotated[
        Literal["main", "pilot", "baselines"],
        Query(description="Which runs: those of the report, or what a job does beside them."),
    ] = "main",
) -> Listing[RunObject]:
    """All runs of the job, by index."""
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        runs = Runs(session).of_job(job_id, purpose=purpose)
    return build_listing([RunObject.from_row(run, job) for run in runs])


@router.get("/{run_id}", responses=document_errors(JobNotFound, RunNotFound))
def retrieve_run(services: ServicesDep, job_id: str, run_id: str) -> RunDetails:
    """One run, with the numbers that its diagnosis rests on."""
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        return RunDetails.from_row(Runs(session).get(job_id, run_id), job)


@router.get(
    "/{run_id}/logs",
    response_class=PlainTextResponse,
    responses=document_errors(JobNotFound, RunNotFound)
    | {200: {"content": {"text/plain": {}}, "description": "Up to 64 kB, the last of it."}},
)
def run_logs(
    services: ServicesDep,
    job_id: str,
    run_id: str,
    attempt: Annotated[
        int | None,
        Query(ge=1, le=1_000_000, description="Which attempt at the run; the latest if left out."),
    ] = None,
) -> PlainTextResponse:
    """What the process that trained the run had to say: kept once an attempt has ended, empty
    before that and where it said nothing.

    Runs that are trained side by side share a process, and with it its words.
    """
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        latest = Runs(session).get(job_id, run_id).attempt
    return PlainTextResponse(service.read_run_log(services, run_id, attempt or latest))


@router.post(
    "/{run_id}/cancel", responses=document_errors(JobNotFound, RunNotFound, RunAlreadyEnded)
)
def cancel_run(services: ServicesDep, job_id: str, run_id: str) -> RunObject:
    """Stop one run; the job goes on with the others."""
    return service.cancel_run(services, job_id, run_id)


@router.post(
    "/{run_id}/retry",
    responses=document_errors(
        JobNotFound,
        RunNotFound,
        RunNotRetryable,
        JobNotExtendable,
        InvalidValue,
        ModelNotAllowed,
        ModelInUse,
    ),
)
def retry_run(services: ServicesDep, job_id: str, run_id: str) -> RunObject:
    """Train a failed or cancelled run again from its beginning, and open its job for it. One
    that is open is answered as it is.
    """
    return service.retry_run(services, job_id, run_id)


@router.get(
    "/{run_id}/metrics",
    summary="Read the metric series of a run",
    responses=document_errors(JobNotFound, RunNotFound),
)
def run_metrics(
    services: ServicesDep,
    job_id: str,
    run_id: str,
    names: Annotated[
        str | None,
        Query(max_length=1000, description="Series names, separated by commas; all if left out."),
    ] = None,
    step_from: StepQuery = None,
    step_to: StepQuery = None,
    resolution: Annotated[
        int | None, Query(ge=2, le=10_000, description="Most points a series; evenly thinned out.")
    ] = None,
) -> RunMetrics:
    """The run's series: train_loss, learning_rate, grad_norm at every step; valid_loss and
    scores at the evaluations.
    """
    wanted = [name.strip() for name in names.split(",")] if names else []
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        Runs(session).get(job_id, run_id)
        found = Metrics(session).thinned(
            run_id, names=wanted, step_from=step_from, step_to=step_to, resolution=resolution
        )
    series = [
        Series(name=name, total=total, points=points) for name, (total, points) in found.items()
    ]
    return RunMetrics(job_id=job_id, run_id=run_id, resolution=resolution, series=series)
