"""/v1/fine_tuning/jobs/{job_id}/runs: one run a seed, with its metric series."""

from itertools import groupby
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.errors import problems
from api.listing import Listing, listing
from api.parts import PartsDep
from api.runs.schemas import RunDetails, RunMetrics, RunObject, Series
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.runs import Runs
from shared.errors import JobNotFound, RunNotFound

router = APIRouter(prefix="/v1/fine_tuning/jobs/{job_id}/runs", tags=["runs"])
Step = Annotated[int | None, Query(ge=0, le=10_000_000)]


@router.get("", responses=problems(JobNotFound))
def list_runs(
    parts: PartsDep, job_id: str, purpose: Literal["main", "pilot", "baselines"] = "main"
) -> Listing[RunObject]:
    """All runs of the job, by index."""
    with parts.database.read() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        runs = Runs(session).of_job(job_id, purpose=purpose)
    return listing([RunObject.of(run, job) for run in runs])


@router.get("/{run_id}", responses=problems(JobNotFound, RunNotFound))
def retrieve_run(parts: PartsDep, job_id: str, run_id: str) -> RunDetails:
    with parts.database.read() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        return RunDetails.of(Runs(session).get(job_id, run_id), job)


@router.get("/{run_id}/metrics", responses=problems(JobNotFound, RunNotFound))
def run_metrics(
    parts: PartsDep,
    job_id: str,
    run_id: str,
    names: Annotated[
        str | None, Query(max_length=1000, description="Series names, separated by commas; all if left out.")
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
        points = Metrics(session).of_run(run_id, names=wanted, step_from=step_from, step_to=step_to)
    series = [_series(name, list(group), resolution) for name, group in groupby(points, key=lambda point: point.name)]
    return RunMetrics(job_id=job_id, run_id=run_id, resolution=resolution, series=series)


def _series(name: str, points: list[Point], resolution: int | None) -> Series:
    """Thinned out evenly, first and last point kept; a value shown is always a value recorded."""
    kept = points
    if resolution is not None and len(points) > resolution:
        kept = [points[round(i * (len(points) - 1) / (resolution - 1))] for i in range(resolution)]
    return Series(name=name, total=len(points), points=[(point.step, point.value) for point in kept])
