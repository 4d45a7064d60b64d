"""The queue: what trains, what waits in which order, and the workers."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from fastapi import APIRouter, Response

from api.jobs.schemas import JobObject
from api.operations.queue import list_open_jobs, read_queue
from api.operations.schemas import Queue, TrainingRun
from api.pages.jobs.view import JobRow, build_row
from api.pages.page import PageDep
from api.pages.screens import NavigationEntry

router = APIRouter()
NAVIGATION = NavigationEntry("Queue", "/queue", order=50)
POLL_INTERVAL_S: Final = 3
IDLE_POLL_INTERVAL_S: Final = 15
SHOWN_JOBS: Final = 50


class RunRow(NamedTuple):
    """A run in training, with the name of its job."""

    run: TrainingRun
    job_title: str


@router.get("/queue")
def show_queue(page: PageDep) -> Response:
    """Show the runs in training, the waiting jobs in order, and the workers."""
    queue = read_queue(page.services, with_messages=True)
    jobs, total = list_open_jobs(page.services, SHOWN_JOBS)
    is_busy = bool(queue.running or queue.depth)
    return page.render(
        "queue/queue.html.j2",
        queue=queue,
        runs=_list_runs(queue, jobs),
        waiting=_list_waiting_jobs(jobs),
        hidden=total - len(jobs),
        workers=queue.workers,
        now=time.time(),
        poll_s=POLL_INTERVAL_S if is_busy else IDLE_POLL_INTERVAL_S,
    )


def _list_runs(queue: Queue, jobs: Sequence[JobObject]) -> list[RunRow]:
    titles = {job.id: build_row(job).title for job in jobs}
    return [RunRow(run, titles.get(run.job_id, run.job_id)) for run in queue.running]


def _list_waiting_jobs(jobs: Sequence[JobObject]) -> list[JobRow]:
    """List the jobs with runs that wait for a worker or for their job, in order."""
    return [build_row(job) for job in jobs if job.runs_summary.queued or job.runs_summary.paused]
