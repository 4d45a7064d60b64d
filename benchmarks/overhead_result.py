"""The section of the speed page that ``benchmarks.overhead`` writes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median

from benchmarks.results import Result, Table, format_verdict

RATIO_GOAL, FIRST_METRIC_GOAL_S = 1.05, 2.0
COLUMNS = (
    "round",
    "job s",
    "baselines s",
    "publishing s",
    "direct s",
    "a run s, job / direct",
    "between runs ms",
    "ratio",
)


@dataclass(frozen=True)
class OverheadPlan:
    """The size of the measurement."""

    seeds: int = 20
    steps: int = 40
    rows: int = 400
    rounds: int = 3

    def format_options(self) -> str:
        """Return the command line's options that differ from the defaults."""
        return "".join(
            f" --{field.name} {getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )


@dataclass(frozen=True)
class Round:
    """Durations, in seconds, of one job and of the same runs without the service."""

    job: float
    """From the first claim to the end of the job, whose model is published by then."""
    baselines: float
    """Time that one slot spent on the job's baselines."""
    publishing: float
    """From the end of the last run to the end of the job."""
    between: float
    """Median time from the end of a run to the next claim of the same slot."""
    run: float
    """Median time from a run's claim to its end."""
    direct: float
    direct_run: float

    @property
    def ratio(self) -> float:
        """The job's duration over that of the direct runs."""
        return self.job / self.direct


def build_result(
    rounds: Sequence[Round], first_metrics: Sequence[float], plan: OverheadPlan, slots: int
) -> Result:
    """Build the section of the speed page."""
    ratios = [one.ratio for one in rounds]
    return Result(
        name="overhead",
        title="What the service adds to training",
        command=f"EVENKEEL_GLUE_DIR=… python -m benchmarks.overhead{plan.format_options()}",
        text=[_format_text(plan, slots)],
        tables=[Table(COLUMNS, list(_iterate_rows(rounds)))],
        figures={
            "ratio": median(ratios),
            "ratios": ratios,
            "first_metric_s": list(first_metrics),
            "rounds": [asdict(one) for one in rounds],
            "slots": slots,
        },
        notes=[_format_ratio_note(median(ratios)), _format_first_metric_note(first_metrics)],
    )


def _format_text(plan: OverheadPlan, slots: int) -> str:
    return (
        f"{plan.seeds} runs of {plan.steps} steps (batch 16, two evaluations, export of the "
        f"weights), all-MiniLM-L6-v2 on CoLA cut to {plan.rows} rows, {slots} at a time with one "
        "thread each: as a job of the whole service, and as direct calls of `train_run` in "
        f"{slots} warm processes. The job's time counts from its first claim to its end, with "
        "the model published. Both sides score the baselines in one slot while the others train."
    )


def _iterate_rows(rounds: Sequence[Round]) -> Iterator[list[str]]:
    for number, measured in enumerate(rounds, start=1):
        yield [
            str(number),
            f"{measured.job:.2f}",
            f"{measured.baselines:.2f}",
            f"{measured.publishing:.2f}",
            f"{measured.direct:.2f}",
            f"{measured.run:.2f} / {measured.direct_run:.2f}",
            f"{measured.between * 1000:.0f}",
            f"{measured.ratio:.3f}",
        ]


def _format_ratio_note(ratio: float) -> str:
    verdict = format_verdict(ratio <= RATIO_GOAL)
    return f"Median ratio {ratio:.3f}; goal ≤ {RATIO_GOAL}: {verdict}."


def _format_first_metric_note(seconds: Sequence[float]) -> str:
    slowest = max(seconds)
    return (
        "First metric of a queued run, from its claim by a warm worker until the API returns "
        f"it: median {median(seconds):.2f} s, slowest of {len(seconds)} {slowest:.2f} s; goal "
        f"≤ {FIRST_METRIC_GOAL_S:g} s: {format_verdict(slowest <= FIRST_METRIC_GOAL_S)}."
    )
