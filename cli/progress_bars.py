"""A bar per run and one per job, as many as the terminal has lines, each within its width."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from cli.api_models import Job, Run
from cli.progress import (
    FollowedJob,
    format_loss,
    format_run_title,
    format_total,
    format_validation,
)
from shared.domain.states import RunState
from shared.domain.wording import format_count

STATE_COLORS: Final = {
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.CANCELLED: "yellow",
    RunState.PAUSED: "blue",
    RunState.DISCARDED: "yellow",
}
SHOWN_FIRST: Final = (RunState.RUNNING, RunState.PAUSED, RunState.FAILED, RunState.SUCCEEDED)
"""Which runs are shown if there are more than lines; those of other states come last."""
GAP: Final = "  "
MAX_BAR_WIDTH: Final = 24
MIN_BAR_WIDTH: Final = 4
MIN_RUN_LINES: Final = 3


class JobProgress(NamedTuple):
    followed: FollowedJob
    job: Job
    runs: Sequence[Run]


class ProgressBars:
    """Redraws the bars of all jobs, and prints each failure once, in full, above them."""

    def __init__(self, console: Console) -> None:
        self.live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._jobs: dict[str, JobProgress] = {}
        self._told_failures: set[tuple[str, int]] = set()

    def show_runs(self, followed: FollowedJob, job: Job, runs: Sequence[Run]) -> None:
        for run in runs:
            if run.error is not None and (run.id, run.attempt) not in self._told_failures:
                self._told_failures.add((run.id, run.attempt))
                title = format_run_title(followed, run).strip()
                self.live.console.print(f"{title}: {run.error.message}", markup=False)
        self._jobs[job.id] = JobProgress(followed, job, runs)
        self.live.update(ProgressScreen(list(self._jobs.values())), refresh=True)


class _Line(NamedTuple):
    title: str
    done: float
    """Share of the bar, from 0 to 1."""
    position: str
    style: str
    notes: tuple[str, ...]
    """From left to right; the ones on the right give way on a narrow terminal."""


class ProgressScreen:
    """The lines of all jobs at one moment."""

    def __init__(self, jobs: Sequence[JobProgress]) -> None:
        self._jobs = jobs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # one line for each job's total, and one for the cursor
        available = max(console.size.height - len(self._jobs) - 1, MIN_RUN_LINES)
        shown = _choose_runs([run for job in self._jobs for run in job.runs], available)
        runs = [
            _build_run_line(job.followed, run)
            for job in self._jobs
            for run in job.runs
            if run.id in shown
        ]
        totals = [_build_total_line(job.followed, job.job) for job in self._jobs]
        layout = _Layout([*runs, *totals], options.max_width)
        yield from (layout.draw(line) for line in runs)
        hidden = [run for job in self._jobs for run in job.runs if run.id not in shown]
        if hidden:
            yield Text(_format_hidden_runs(hidden), "dim", no_wrap=True, overflow="ellipsis")
        yield from (layout.draw(line) for line in totals)


def _choose_runs(runs: Sequence[Run], available: int) -> set[str]:
    """Choose the runs that are shown on so many lines; if some are hidden, a line says so."""
    if len(runs) <= available:
        return {run.id for run in runs}
    ranks = {state: rank for rank, state in enumerate(SHOWN_FIRST)}
    by_rank = sorted(runs, key=lambda run: ranks.get(run.status, len(ranks)))
    return {run.id for run in by_rank[: available - 1]}


def _format_hidden_runs(runs: Sequence[Run]) -> str:
    states = Counter(run.status.value for run in runs)
    counts = ", ".join(f"{amount} {state}" for state, amount in states.items())
    return f"and {format_count(len(runs), 'more run')}: {counts}"


def _build_run_line(followed: FollowedJob, run: Run) -> _Line:
    color = "yellow" if run.degenerate else STATE_COLORS.get(run.status, "dim")
    return _Line(
        format_run_title(followed, run),
        run.step / max(run.total_steps, 1),
        f"{run.step}/{run.total_steps}",
        color,
        (
            "degenerate" if run.degenerate else run.status.value,
            format_validation(run),
            format_loss(run),
        ),
    )


def _build_total_line(followed: FollowedJob, job: Job) -> _Line:
    progress = job.progress
    return _Line(
        f"{followed.title} total".lstrip(),
        progress.percent / 100,
        f"{progress.percent:.0f}%",
        "bold",
        (format_total(progress),),
    )


class _Layout:
    """Widths that fit the widest line: the rightmost notes give way first, then the bars."""

    def __init__(self, lines: Sequence[_Line], width: int) -> None:
        self._width = width
        self._title_width = max(len(line.title) for line in lines)
        self._position_width = max(len(line.position) for line in lines)
        self._note_widths = _measure_notes(lines)
        longest_total = max(len(line.notes[0]) for line in lines if len(line.notes) == 1)
        fixed = self._title_width + len(GAP) + self._position_width + len(GAP)
        while True:
            notes = sum(self._note_widths) + len(GAP) * (len(self._note_widths) - 1)
            bar = width - fixed - max(notes, longest_total) - len(GAP)
            if bar >= MIN_BAR_WIDTH or notes <= longest_total or len(self._note_widths) == 1:
                break
            self._note_widths.pop()
        self._bar_width = min(bar, MAX_BAR_WIDTH) if bar >= MIN_BAR_WIDTH else 0

    def draw(self, line: _Line) -> Text:
        text = Text(line.title.ljust(self._title_width), no_wrap=True, overflow="ellipsis")
        if self._bar_width:
            filled = round(min(line.done, 1) * self._bar_width)
            text.append(GAP).append("━" * filled, line.style)
            text.append("━" * (self._bar_width - filled), "bright_black")
        text.append(GAP).append(line.position.rjust(self._position_width))
        for style, note in zip((line.style, "", ""), self._pad_notes(line), strict=False):
            text.append(GAP).append(note, style)
        text.rstrip()
        return text

    def _pad_notes(self, line: _Line) -> Iterator[str]:
        if len(line.notes) == 1:  # a total, which is in no column
            yield line.notes[0]
            return
        for note, width in zip(line.notes, self._note_widths, strict=False):
            yield note.ljust(width)


def _measure_notes(lines: Sequence[_Line]) -> list[int]:
    """Return the width of each column of the runs' notes."""
    rows = [line.notes for line in lines if len(line.notes) > 1]
    return [max(map(len, column)) for column in zip(*rows, strict=True)] or [0]
