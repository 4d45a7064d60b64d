"""Progress of jobs until they end: one bar per run on a terminal, plain lines elsewhere."""

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
RETRY_TIMEOUT_S: Final = 120.0  # for a service that is restarting
PLAIN_LINE_SHARE: Final = 0.25  # of a run's steps between two lines
STATE_COLORS: Final = {
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.CANCELLED: "yellow",
    RunState.PAUSED: "blue",
    RunState.DISCARDED: "yellow",
}


@dataclass(frozen=True)
class FollowedJob:
    """A job to follow, and the prefix of its lines if there are several jobs."""

    job: Job
    title: str = ""


class RunDisplay(Protocol):
    """Shows the state of runs, again and again."""

    def show_run(self, followed: FollowedJob, run: Run) -> None: ...


def follow_jobs(client: Client, jobs: Sequence[FollowedJob], console: Console) -> list[Job]:
    """Show the jobs' runs until all jobs have ended; return the ended jobs.

    Waits while the service restarts.
    """
    client.retry_timeout_s = RETRY_TIMEOUT_S
    bars = _create_progress(console) if console.is_terminal else None
    display: RunDisplay = _ProgressBars(bars) if bars is not None else _PlainLines(console.print)
    latest = {followed.job.id: followed.job for followed in jobs}
    active = list(jobs)
    with bars or nullcontext():
        while active:
            for followed in active:
                # the job is read before its runs, so that the runs of an ended job are final
                job = client.get_job(followed.job.id)
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
    for run in [*pilots, *client.list_runs(job.id)]:
        display.show_run(followed, run)


class _ProgressBars:
    """One progress bar per run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show_run(self, followed: FollowedJob, run: Run) -> None:
        if run.id not in self._tasks:
            title = _format_run_title(followed, run)
            self._tasks[run.id] = self._progress.add_task(
                title, total=run.total_steps, state="", numbers=""
            )
        color = STATE_COLORS.get(run.status, "dim")
        self._progress.update(
            self._tasks[run.id],
            completed=run.step,
            total=run.total_steps,
            state=f"[{color}]{run.status.value:<9}[/]",
            numbers=_format_run_numbers(run),
        )


class _PlainLines:
    """One line whenever a run's state changes, and one per quarter of its steps."""

    def __init__(self, print_line: Callable[[str], object]) -> None:
        self._print_line = print_line
        self._printed_states: dict[str, tuple[RunState, int, int]] = {}

    def show_run(self, followed: FollowedJob, run: Run) -> None:
        quarter = int(run.step / max(run.total_steps, 1) / PLAIN_LINE_SHARE)
        state = (run.status, run.attempt, 0 if run.status in ENDED_RUN_STATES else quarter)
        is_new = run.id not in self._printed_states
        if self._printed_states.get(run.id) == state or (is_new and run.status is RunState.QUEUED):
            return
        self._printed_states[run.id] = state
        title, numbers = _format_run_title(followed, run), _format_run_numbers(run)
        line = f"{title}: {run.status.value}, step {run.step}/{run.total_steps} {numbers}"
        self._print_line(line.rstrip())


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
