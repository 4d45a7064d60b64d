"""Lines about runs in training: what ``evenkeel train`` prints when it does not fill a screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cli.api_models import Job, Progress, Run
from cli.tables import format_duration
from shared.domain.states import ENDED_RUN_STATES, Purpose, RunState
from shared.domain.wording import format_count
from shared.report.formatting import format_seeds

PLAIN_LINE_SHARE: Final = 0.25  # of a run's steps between two lines
TOTAL_LINE_PERCENT: Final = 10  # of the job's steps between two lines


@dataclass(frozen=True)
class FollowedJob:
    """A job to follow, and the prefix of its lines if there are several jobs."""

    job: Job
    title: str = ""


class RunDisplay(Protocol):
    """Shows the state of a job and its runs, again and again."""

    def show_runs(self, followed: FollowedJob, job: Job, runs: Sequence[Run]) -> None: ...


class PlainLines:
    """One line whenever a run's state changes, per quarter of its steps, and per tenth of the
    job's.
    """

    def __init__(self, print_line: Callable[[str], object]) -> None:
        self._print_line = print_line
        self._printed_states: dict[str, tuple[RunState, int, int]] = {}
        self._printed_totals: dict[str, int] = {}

    def show_runs(self, followed: FollowedJob, job: Job, runs: Sequence[Run]) -> None:
        for run in runs:
            self._show_run(followed, run)
        tenth = int(job.progress.percent / TOTAL_LINE_PERCENT)
        if not job.has_ended and tenth > self._printed_totals.get(job.id, 0):
            self._printed_totals[job.id] = tenth
            total = format_total(job.progress)
            self._print_line(
                f"{followed.title} total: {job.progress.percent:.0f}%, {total}".strip()
            )

    def _show_run(self, followed: FollowedJob, run: Run) -> None:
        quarter = int(run.step / max(run.total_steps, 1) / PLAIN_LINE_SHARE)
        state = (run.status, run.attempt, 0 if run.status in ENDED_RUN_STATES else quarter)
        is_new = run.id not in self._printed_states
        if self._printed_states.get(run.id) == state or (is_new and run.status is RunState.QUEUED):
            return
        self._printed_states[run.id] = state
        numbers = [format_loss(run), format_validation(run), "degenerate" if run.degenerate else ""]
        numbers += [run.error.message] if run.error is not None else []
        line = f"{format_run_title(followed, run)}: {run.status.value}, "
        line += f"step {run.step}/{run.total_steps} {'  '.join(filter(None, numbers))}"
        self._print_line(line.rstrip())


def format_run_title(followed: FollowedJob, run: Run) -> str:
    if run.purpose != Purpose.MAIN:
        return f"{followed.title} {run.purpose} {run.index}".lstrip()
    init_seed = run.seed if run.init_seed is None else run.init_seed
    data_seed = init_seed if run.data_seed is None else run.data_seed
    return f"{followed.title} seed {format_seeds(init_seed, data_seed, run.fold)}".lstrip()


def format_loss(run: Run) -> str:
    return "" if run.train_loss is None else f"loss {run.train_loss:.4f}"


def format_validation(run: Run) -> str:
    return "" if run.validation_score is None else f"validation {run.validation_score:.4f}"


def format_total(progress: Progress) -> str:
    """Format the job's steps and the time that is left."""
    # without thousands separators, as the numbers of the runs above: every column counts
    unit = "step" if progress.steps_total == 1 else "steps"
    steps = f"{progress.steps_done}/{progress.steps_total} {unit}"
    if progress.queue_position:
        return f"{steps}, behind {format_count(progress.queue_position, 'queued run')}"
    if progress.seconds_remaining:
        return f"{steps}, about {format_duration(progress.seconds_remaining)} left"
    return steps
