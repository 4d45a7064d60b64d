"""The section of the speed page that ``benchmarks.queries`` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, TypedDict

from benchmarks.fill_database import DatabaseContents
from benchmarks.request_kinds import RESOLUTION, RequestKind
from benchmarks.results import Result, Table, describe_machine, format_verdict
from shared.infra.settings import count_cpu_cores

COLUMNS = ("request", "median ms", "p95 ms", "statements", "answer kB", "goal (median)")
REPORTED_TABLES = {
    "jobs": "jobs",
    "runs": "runs",
    "metrics": "metric points",
    "events": "events",
    "files": "files",
}


class RequestMeasurement(NamedTuple):
    """Measured requests of one kind."""

    kind: RequestKind
    milliseconds: list[float]
    statements: int
    bytes: int
    """Size of the largest response body."""


@dataclass(frozen=True)
class Conditions:
    """Conditions of the measurement."""

    database: str
    """Name and version of the database."""
    fill_seconds: float
    load_average: float
    """The system's load over the last minute."""
    requests: int
    """Requests of each kind."""
    long_steps: int


class KindSummary(TypedDict):
    """Figures of one kind of requests, as JSON."""

    median_ms: float
    p95_ms: float
    statements: int
    bytes: int
    goal_ms: float | None
    met: bool | None


def build_result(
    measurements: Sequence[RequestMeasurement], contents: DatabaseContents, conditions: Conditions
) -> Result:
    """Build the section of the speed page."""
    summaries = {one.kind.name: _summarize_kind(one) for one in measurements}
    missed = [name for name, summary in summaries.items() if summary["met"] is False]
    rows = [_format_row(name, summary) for name, summary in summaries.items()]
    return Result(
        name="queries",
        title="Requests over a full database",
        command="python -m benchmarks.queries",
        text=[_format_text(contents, conditions)],
        tables=[Table(COLUMNS, rows)],
        figures=_build_figures(summaries, contents.rows, conditions) | {"goal_met": not missed},
        notes=[f"Goals: {'not met by ' + ', '.join(missed) if missed else 'all met'}."],
        machine=describe_machine() | {"database": conditions.database},
    )


def _format_text(contents: DatabaseContents, conditions: Conditions) -> str:
    counts = ", ".join(
        f"{contents.rows[table]:,} {words}" for table, words in REPORTED_TABLES.items()
    )
    return (
        f"{conditions.database} on the same machine, with default settings, holds {counts}, "
        f"generated in {conditions.fill_seconds:.0f} s. One API process on loopback answers "
        f"one request at a time: {conditions.requests} of each kind, in turn, after a warm-up. "
        f"Client, service and database share {count_cpu_cores()} cores. The long run has "
        f"{conditions.long_steps:,} steps with three points each, requested at {RESOLUTION} "
        f"points per series. The load average at the end was {conditions.load_average:.1f}, of "
        "which the measurement itself causes about 1."
    )


def _build_figures(
    summaries: Mapping[str, KindSummary], rows: Mapping[str, int], conditions: Conditions
) -> dict[str, object]:
    return {
        "requests": summaries,
        "rows": rows,
        "fill_seconds": round(conditions.fill_seconds),
        "load_average": conditions.load_average,
    }


def _format_row(name: str, summary: KindSummary) -> list[str]:
    goal = summary["goal_ms"]
    return [
        name,
        f"{summary['median_ms']:.1f}",
        f"{summary['p95_ms']:.1f}",
        str(summary["statements"]),
        f"{summary['bytes'] / 1000:.0f}",
        "" if goal is None else f"≤ {goal:g}: {format_verdict(summary['met'] is True)}",
    ]


def _summarize_kind(measurement: RequestMeasurement) -> KindSummary:
    times, goal = sorted(measurement.milliseconds), measurement.kind.goal_ms
    middle = median(times)
    return {
        "median_ms": round(middle, 2),
        "p95_ms": round(times[int(0.95 * len(times))], 2),
        "statements": measurement.statements,
        "bytes": measurement.bytes,
        "goal_ms": goal,
        "met": None if goal is None else middle <= goal,
    }
