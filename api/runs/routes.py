"""/v1/fine_tuning/jobs/{job_id}/runs: one run a seed, with its metric series."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from api.dependencies import PartsDep
from api.errors import problems
from api.pagination import Listing, listing
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
Step = Annotated[
    int | None,
    Query(ge=0, le=10_000_000, description="Only points from, or up to, this optimiser step."),
]


@router.get("", responses=problems(JobNotFound))
def list_runs(
    parts: PartsDep,
    job_id: str,
    purpose: Annotated[
        Literal["main", "pilot", "baselines"],
        Query(description="Which runs: those of the report, or what a job does beside them."),
    ] = "main",
) -> Listing[RunObject]:
    """All runs of the job, by index."""
    with parts.database.read() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        runs = Runs(session).of_job(job_id, purpose=purpose)
    return listing([RunObject.of(run, job) for run in runs])


@router.get("/{run_id}", responses=problems(JobNotFound, RunNotFound))
def retrieve_run(parts: PartsDep, job_id: str, run_id: str) -> RunDetails:
    """One run, with the numbers that its diagnosis rests on."""
    with parts.database.read() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        return RunDetails.of(Runs(session).get(job_id, run_id), job)


@router.get(
    "/{run_id}/logs",
    response_class=PlainTextResponse,
    responses=problems(JobNotFound, RunNotFound)
    | {200: {"content": {"text/plain": {}}, "description": "Up to 64 kB, the last of it."}},
)
def run_logs(
    parts: PartsDep,
    job_id: str,
    run_id: str,
    attempt: Annotated[
        int | None,
        Query(ge=1, le=1_000_000, description="Which attempt at the run; the latest if left out."),
    ] = None,
) -> PlainTextResponse:
    """What the process that trained the run had to say: kept once an attempt has ended, empty before that and where it said nothing.

    Runs that are trained side by side share a process, and with it its words.
    """
    with parts.database.read() as session:
        Jobs(session).get(job_id, parts.owner_id)
        latest = Runs(session).get(job_id, run_id).attempt
    return PlainTextResponse(service.log_of(parts, run_id, attempt or latest))


@router.post("/{run_id}/cancel", responses=problems(JobNotFound, RunNotFound, RunAlreadyEnded))
def cancel_run(parts: PartsDep, job_id: str, run_id: str) -> RunObject:
    """Stop one run; the job goes on with the others."""
    return service.cancel(parts, job_id, run_id)


@router.post(
    "/{run_id}/retry",
    responses=problems(
        JobNotFound,
        RunNotFound,
        RunNotRetryable,
        JobNotExtendable,
        InvalidValue,
        ModelNotAllowed,
        ModelInUse,
    ),
)
def retry_run(parts: PartsDep, job_id: str, run_id: str) -> RunObject:
    """Train a failed or cancelled run again from its beginning, and open its job for it. One that is open is answered as it is."""
    return service.retry(parts, job_id, run_id)


@router.get(
    "/{run_id}/metrics",
    summary="Read the metric series of a run",
    responses=problems(JobNotFound, RunNotFound),
)
def run_metrics(
    parts: PartsDep,
    job_id: str,
    run_id: str,
    names: Annotated[
        str | None,
        Query(max_length=1000, description="Series names, separated by commas; all if left out."),
    ] = None,
    step_from: Step = None,
    step_to: Step = None,
    resolution: Annotated[
        int | None, Query(ge=2, le=10_000, description="Most points a series; evenly thinned out.")
    ] = None,
) -> RunMetrics:
    """The run's series: train_loss, learning_rate, grad_norm at every step; valid_loss and scores at the evaluations."""
    wanted = [name.strip() for name in names.split(",")] if names else []
    with parts.database.read() as session:
        Jobs(session).get(job_id, parts.owner_id)
        Runs(session).get(job_id, run_id)
        found = Metrics(session).thinned(
            run_id, names=wanted, step_from=step_from, step_to=step_to, resolution=resolution
        )
    series = [
        Series(name=name, total=total, points=points) for name, (total, points) in found.items()
    ]
    return RunMetrics(job_id=job_id, run_id=run_id, resolution=resolution, series=series)
