"""Routes below /v1/fine_tuning/jobs/{job_id}/runs: the runs of a job and their metric series."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.pagination import Listing, build_listing
from api.path_parameters import JobIdPath, RunIdPath
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
from shared.domain.limit_errors import OpenJobsLimit, QueuedRunsLimit, ServiceBusy

router = APIRouter(prefix="/v1/fine_tuning/jobs/{job_id}/runs", tags=["runs"])
MAX_STEP = 10_000_000

PurposeQuery = Annotated[
    Literal["main", "pilot", "baselines", "distillation"],
    Query(
        description="Kind of runs: the runs of the report (`main`), pilots, baselines or the "
        "distillation."
    ),
]
AttemptQuery = Annotated[
    int | None,
    Query(ge=1, le=1_000_000, description="Number of the attempt, from 1; default: the latest."),
]
SeriesNamesQuery = Annotated[
    str | None,
    Query(max_length=1000, description="Series names, separated by commas; default: all."),
]
FirstStepQuery = Annotated[
    int | None, Query(ge=0, le=MAX_STEP, description="First optimizer step to return.")
]
LastStepQuery = Annotated[
    int | None, Query(ge=0, le=MAX_STEP, description="Last optimizer step to return.")
]
ResolutionQuery = Annotated[
    int | None,
    Query(
        ge=2,
        le=10_000,
        description="Maximum number of points per series; longer series are downsampled evenly.",
    ),
]


@router.get("", responses=document_errors(JobNotFound))
def list_runs(
    services: ServicesDep, job_id: JobIdPath, purpose: PurposeQuery = "main"
) -> Listing[RunObject]:
    """List all runs of the job, by index."""
    return build_listing(service.list_runs(services, job_id, purpose))


@router.get("/{run_id}", responses=document_errors(JobNotFound, RunNotFound))
def retrieve_run(services: ServicesDep, job_id: JobIdPath, run_id: RunIdPath) -> RunDetails:
    """Return one run with the evidence for its diagnosis."""
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        return RunDetails.from_row(Runs(session).get(job_id, run_id), job)


@router.get(
    "/{run_id}/logs",
    summary="Read the log of a run",
    response_class=PlainTextResponse,
    responses=document_errors(JobNotFound, RunNotFound)
    | {200: {"content": {"text/plain": {}}, "description": "The last 64 kB of the log."}},
)
def run_logs(
    services: ServicesDep, job_id: JobIdPath, run_id: RunIdPath, attempt: AttemptQuery = None
) -> PlainTextResponse:
    """Return the log of the process that trained the run.

    The log is stored when an attempt ends; until then the response is empty. Runs that are trained
    together share a process and therefore a log.
    """
    return PlainTextResponse(service.find_run_log(services, job_id, run_id, attempt))


@router.post(
    "/{run_id}/cancel",
    responses=document_errors(JobNotFound, RunNotFound, RunAlreadyEnded, ServiceBusy),
)
async def cancel_run(services: ServicesDep, job_id: JobIdPath, run_id: RunIdPath) -> RunObject:
    """Cancel one run; the other runs of the job continue."""
    return await services.heavy.stops.run(
        services.owner_id, service.cancel_run, services, job_id, run_id
    )


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
        OpenJobsLimit,
        QueuedRunsLimit,
    ),
)
def retry_run(services: ServicesDep, job_id: JobIdPath, run_id: RunIdPath) -> RunObject:
    """Train a failed or cancelled run again from the start, and reopen its job for it.

    A run that is open is returned unchanged.
    """
    return service.retry_run(services, job_id, run_id)


@router.get(
    "/{run_id}/metrics",
    summary="Read the metric series of a run",
    responses=document_errors(JobNotFound, RunNotFound),
)
def run_metrics(
    services: ServicesDep,
    job_id: JobIdPath,
    run_id: RunIdPath,
    names: SeriesNamesQuery = None,
    step_from: FirstStepQuery = None,
    step_to: LastStepQuery = None,
    resolution: ResolutionQuery = None,
) -> RunMetrics:
    """Return the run's metric series.

    `train_loss`, `learning_rate` and `grad_norm` have a point per step, `valid_loss` and the
    scores one per evaluation.
    """
    wanted = [name.strip() for name in names.split(",")] if names else []
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        Runs(session).get(job_id, run_id)
        found = Metrics(session).get_downsampled_series(
            run_id, names=wanted, step_from=step_from, step_to=step_to, resolution=resolution
        )
    series = [
        Series(name=name, total=total, points=points) for name, (total, points) in found.items()
    ]
    return RunMetrics(job_id=job_id, run_id=run_id, resolution=resolution, series=series)
