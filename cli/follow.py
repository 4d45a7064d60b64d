"""Following jobs until they end: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

from rich.console import Console

from cli.api_models import Job
from cli.client import Client
from cli.model_downloads import DownloadLines
from cli.progress import FollowedJob, PlainLines, RunDisplay
from cli.progress_bars import ProgressBars
from shared.domain.states import Purpose

POLL_INTERVAL_S: Final = 1.0
RETRY_TIMEOUT_S: Final = 120.0  # for a service that is restarting


def follow_jobs(client: Client, jobs: Sequence[FollowedJob], console: Console) -> list[Job]:
    """Show the jobs' runs until all jobs have ended; return the ended jobs.

    Waits while the service restarts.
    """
    client.retry_timeout_s = RETRY_TIMEOUT_S
    bars = ProgressBars(console) if console.is_terminal else None
    display: RunDisplay = bars or PlainLines(lambda line: console.print(line, markup=False))
    downloads = DownloadLines(client, console)
    latest = {followed.job.id: followed.job for followed in jobs}
    active = list(jobs)
    with bars.live if bars is not None else nullcontext():
        while active:
            for followed in active:
                # the job is read before its runs, so that the runs of an ended job are final
                job = client.get_job(followed.job.id)
                downloads.show_download(followed, latest[job.id], job)
                _announce_pilot_choice(console, followed, latest[job.id], job)
                _show_runs(client, display, followed, job)
                latest[job.id] = job
            active = [followed for followed in active if not latest[followed.job.id].has_ended]
            time.sleep(POLL_INTERVAL_S if active else 0)
    return [latest[followed.job.id] for followed in jobs]


def _announce_pilot_choice(
    console: Console, followed: FollowedJob, previous: Job, current: Job
) -> None:
    """Print what pilots have chosen, and why, when the choice is new."""
    if previous.pilot_reason is None and current.pilot_reason is not None:
        prefix = f"{followed.title}: " if followed.title else ""
        console.print(f"{prefix}{current.pilot_reason}", markup=False)


def _show_runs(client: Client, display: RunDisplay, followed: FollowedJob, job: Job) -> None:
    pilots = client.list_runs(job.id, Purpose.PILOT) if job.pilots is not None else []
    is_distilled = job.artifacts.get("publish") == "distilled"
    distillations = client.list_runs(job.id, Purpose.DISTILLATION) if is_distilled else []
    display.show_runs(followed, job, [*pilots, *client.list_runs(job.id), *distillations])
