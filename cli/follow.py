"""Following jobs to their ends: a progress bar a run on a terminal, now and then a plain line
anywhere else.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from cli.api_models import Job, Run
from cli.client import Client
from shared.domain.states import ENDED_RUN_STATES, Purpose, RunState

POLL_INTERVAL_S: Final = 1.0
RETRY_TIMEOUT_S: Final = 120.0  # for a service that is being started again
PLAIN_LINE_SHARE: Final = 0.25  # of a run's steps between two plain lines about it
STATE_COLOURS: Final = {
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.CANCELLED: "yellow",
    RunState.PAUSED: "blue",
    RunState.DISCARDED: "yellow",
}


@dataclass(frozen=True)
class FollowedJob:
    """A job on the way, and what its lines begin with where several are followed."""

    job: Job
    title: str = ""


class RunDisplay(Protocol):
    def show_run(self, followed: FollowedJob, run: Run) -> None: ...


def follow_jobs(client: Client, jobs: Sequence[FollowedJob], console: Console) -> list[Job]:
    """Show the jobs' runs until all jobs have ended; returns the ended jobs. Waits out a
    restart of the service.
    """
    client.retry_timeout_s = RETRY_TIMEOUT_S
    bars = _create_progress(console) if console.is_terminal else None
    view: RunDisplay = _ProgressBars(bars) if bars is not None else _PlainLines(console.print)
    ended: dict[str, Job] = {}
    with bars or nullcontext():
        while True:
            for followed in jobs:
                if followed.job.id in ended:
                    continue
                job = client.get_job(
                    followed.job.id
                )  # read first, so that the runs of an ended job are final
                pilots = client.list_runs(job.id, Purpose.PILOT) if job.pilots is not None else []
                for run in [*pilots, *client.list_runs(job.id)]:
                    view.show_run(followed, run)
                if job.has_ended:
                    ended[job.id] = job
            if len(ended) == len(jobs):
                return [ended[followed.job.id] for followed in jobs]
            time.sleep(POLL_INTERVAL_S)


class _ProgressBars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show_run(self, followed: FollowedJob, run: Run) -> None:
        if run.id not in self._tasks:
            self._tasks[run.id] = self._progress.add_task(
                _format_run_title(followed, run), total=run.total_steps, state="", numbers=""
            )
        colour = STATE_COLOURS.get(run.status, "dim")
        self._progress.update(
            self._tasks[run.id],
            completed=run.step,
            total=run.total_steps,
            state=f"[{colour}]{run.status.value:<9}[/]",
            numbers=_format_run_numbers(run),
        )


class _PlainLines:
    """A line when a run's state changes, and one each quarter of its way."""

    def __init__(self, print_line: Callable[[str], object]) -> None:
        self._print_line = print_line
        self._printed_states: dict[str, tuple[RunState, int, int]] = {}

    def show_run(self, followed: FollowedJob, run: Run) -> None:
        quarter = int(run.step / max(run.total_steps, 1) / PLAIN_LINE_SHARE)
        now = (run.status, run.attempt, 0 if run.status in ENDED_RUN_STATES else quarter)
        if self._printed_states.get(run.id) == now or (
            run.status is RunState.QUEUED and run.id not in self._printed_states
        ):
            return
        self._printed_states[run.id] = now
        self._print_line(
            (
                f"{_format_run_title(followed, run)}: {run.status.value}, step "
                f"{run.step}/{run.total_steps} {_format_run_numbers(run)}"
            ).rstrip()
        )


def _create_progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[state]}"),
        TextColumn("{task.fields[numbers]}"),
        console=console,
    )


def _format_run_title(followed: FollowedJob, run: Run) -> str:
    name = f"seed {run.seed}" if run.purpose == Purpose.MAIN else f"{run.purpose} {run.index}"
    return f"{followed.title} {name}".lstrip()


def _format_run_numbers(run: Run) -> str:
    parts = []
    if run.train_loss is not None:
        parts.append(f"loss {run.train_loss:.4f}")
    if run.validation_score is not None:
        parts.append(f"validation {run.validation_score:.4f}")
    if run.degenerate:
        parts.append("degenerate")
    if run.error is not None:
        parts.append(run.error.message)
    return "  ".join(parts)
