"""Following jobs to their ends: a progress bar a run on a terminal, now and then a plain line anywhere else."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from cli.api_models import Job, Run
from cli.client import Client
from shared.domain.states import RUN_ENDED, Purpose, RunState

POLL_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 120.0  # for a service that is being started again
PLAIN_SHARE: Final = 0.25  # of a run's steps between two plain lines about it
STATE_COLOURS: Final = {
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.CANCELLED: "yellow",
    RunState.PAUSED: "blue",
    RunState.DISCARDED: "yellow",
}


@dataclass(frozen=True)
class Followed:
    """A job on the way, and what its lines begin with where several are followed."""

    job: Job
    title: str = ""


class View(Protocol):
    def show(self, followed: Followed, run: Run) -> None: ...


def follow(client: Client, jobs: Sequence[Followed], console: Console) -> list[Job]:
    """Show the jobs' runs until all jobs have ended; returns the ended jobs. Waits out a restart of the service."""
    client.patience = PATIENCE_SECONDS
    bars = _bars(console) if console.is_terminal else None
    view: View = _Bars(bars) if bars is not None else _Lines(console.print)
    ended: dict[str, Job] = {}
    with bars or nullcontext():
        while True:
            for followed in jobs:
                if followed.job.id in ended:
                    continue
                job = client.job(
                    followed.job.id
                )  # read first, so that the runs of an ended job are final
                pilots = client.runs(job.id, Purpose.PILOT) if job.pilots is not None else []
                for run in [*pilots, *client.runs(job.id)]:
                    view.show(followed, run)
                if job.ended:
                    ended[job.id] = job
            if len(ended) == len(jobs):
                return [ended[followed.job.id] for followed in jobs]
            time.sleep(POLL_SECONDS)


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, followed: Followed, run: Run) -> None:
        if run.id not in self._tasks:
            self._tasks[run.id] = self._progress.add_task(
                _name(followed, run), total=run.total_steps, state="", numbers=""
            )
        colour = STATE_COLOURS.get(run.status, "dim")
        self._progress.update(
            self._tasks[run.id],
            completed=run.step,
            total=run.total_steps,
            state=f"[{colour}]{run.status.value:<9}[/]",
            numbers=_numbers(run),
        )


class _Lines:
    """A line when a run's state changes, and one each quarter of its way."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said: dict[str, tuple[RunState, int, int]] = {}

    def show(self, followed: Followed, run: Run) -> None:
        quarter = int(run.step / max(run.total_steps, 1) / PLAIN_SHARE)
        now = (run.status, run.attempt, 0 if run.status in RUN_ENDED else quarter)
        if self._said.get(run.id) == now or (
            run.status is RunState.QUEUED and run.id not in self._said
        ):
            return
        self._said[run.id] = now
        self._say(
            f"{_name(followed, run)}: {run.status.value}, step {run.step}/{run.total_steps} {_numbers(run)}".rstrip()
        )


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[state]}"),
        TextColumn("{task.fields[numbers]}"),
        console=console,
    )


def _name(followed: Followed, run: Run) -> str:
    name = f"seed {run.seed}" if run.purpose == Purpose.MAIN else f"{run.purpose} {run.index}"
    return f"{followed.title} {name}".lstrip()


def _numbers(run: Run) -> str:
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
