"""How long requests take over a full database: ``python -m benchmarks.queries``.

A PostgreSQL of the benchmark's own (``--database-url`` names another empty database,
``--sqlite`` takes SQLite) is filled with 1,000 jobs, 20,000 runs and 5 million metric points.
An API process of its own answers over loopback, one request after the other, each kind of
request for many jobs in turn; the statements behind a request are counted on the same
application in this process.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from benchmarks.database_rows import TEAMS
from benchmarks.fill_database import DatabaseContents, DatabaseSize, fill_database
from benchmarks.polling import run_api
from benchmarks.results import Result, Table, describe_machine
from benchmarks.servers import run_postgres_server
from benchmarks.speed_page import record_result
from benchmarks.statements import record_statements
from shared.db.session import Database
from shared.domain.states import JobState, RunState
from shared.infra.settings import Settings, count_cpu_cores

JOBS_PATH = "/v1/fine_tuning/jobs"
PAGE_GOAL_MS, SERIES_GOAL_MS = 50, 100
"""Goals for the median of a request."""
REQUESTS_PER_KIND = 100
RESOLUTION = 200


class RequestKind(NamedTuple):
    """Requests of one kind."""

    name: str
    paths: Sequence[str]
    goal_ms: float | None = None


class RequestMeasurement(NamedTuple):
    kind: RequestKind
    milliseconds: list[float]
    statements: int
    bytes: int
    """Of an answer's body; the largest."""


def main(argv: Sequence[str] | None = None) -> None:
    given = _parse_arguments(argv)
    size = DatabaseSize(given.jobs, given.runs, given.long_steps)
    with tempfile.TemporaryDirectory(prefix="evenkeel-queries-") as folder, ExitStack() as running:
        home = Path(folder) / "home"
        home.mkdir()
        url = running.enter_context(_provide_database(given, Path(folder)))
        settings = Settings(home=home, database_url=url, redis_url=f"redis+socket://{home}/none")
        began = time.perf_counter()
        filled = fill_database(settings, size)
        seconds = time.perf_counter() - began
        port = running.enter_context(run_api(home, url))
        measured = list(
            _measure_requests(settings, port, build_request_kinds(filled), given.requests)
        )
        busy = os.getloadavg()[0]
        result = _build_result(measured, filled, _get_database_version(url), (seconds, busy), given)
    if given.dry:
        json.dump(result.figures, sys.stdout, indent=1)
    else:
        record_result(result)


@contextmanager
def _provide_database(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    if args.sqlite or args.database_url:
        yield args.database_url or f"sqlite:///{folder / 'evenkeel.db'}"
        return
    home = folder / "postgresql"
    home.mkdir()
    with run_postgres_server(home) as server:
        yield server.create_database("queries")


def build_request_kinds(contents: DatabaseContents) -> list[RequestKind]:
    """What is asked: of many jobs and runs where there are many, so that no answer is always
    the same one.
    """
    chance = random.Random(0)

    def sample_jobs(state: JobState) -> list[str]:
        return (
            chance.sample(found, min(20, len(found)))
            if (found := contents.list_job_ids(state))
            else []
        )

    ended, running, queued = (
        sample_jobs(state) for state in (JobState.SUCCEEDED, JobState.RUNNING, JobState.QUEUED)
    )
    runs = [(job, run) for job, run, state in contents.runs if state == RunState.SUCCEEDED]
    some_runs = chance.sample(runs, min(20, len(runs)))
    series, (long_job, long_run) = f"metrics?resolution={RESOLUTION}", contents.long_run
    ids = [job for job, _ in contents.jobs]
    deep = ids[len(ids) // 10]
    studies = sorted({place // 5 for place in range(0, len(ids), max(1, len(ids) // 20))})

    def of_each(jobs: Sequence[str], rest: str) -> list[str]:
        return [f"{JOBS_PATH}/{job}{rest}" for job in jobs]

    return [
        RequestKind("20 jobs", [JOBS_PATH], PAGE_GOAL_MS),
        RequestKind("100 jobs", [f"{JOBS_PATH}?limit=100"]),
        RequestKind("20 jobs, the last tenth", [f"{JOBS_PATH}?after={deep}"], PAGE_GOAL_MS),
        RequestKind(
            "20 jobs of a team",
            [f"{JOBS_PATH}?metadata[team]={team}" for team in TEAMS],
            PAGE_GOAL_MS,
        ),
        RequestKind(
            "the few jobs of a study",
            [f"{JOBS_PATH}?metadata[study]=study-{study}" for study in studies],
            PAGE_GOAL_MS,
        ),
        RequestKind("an ended job", of_each(ended, ""), PAGE_GOAL_MS),
        RequestKind("a running job", of_each(running, ""), PAGE_GOAL_MS),
        RequestKind("a queued job", of_each(queued, ""), PAGE_GOAL_MS),
        RequestKind("stability of an ended job", of_each(ended, "/stability"), PAGE_GOAL_MS),
        RequestKind("stability of a running job", of_each(running, "/stability"), PAGE_GOAL_MS),
        RequestKind("runs of a job", of_each(ended, "/runs"), PAGE_GOAL_MS),
        RequestKind(
            "a run", [f"{JOBS_PATH}/{job}/runs/{run}" for job, run in some_runs], PAGE_GOAL_MS
        ),
        RequestKind(
            "series of a run",
            [f"{JOBS_PATH}/{job}/runs/{run}/metrics" for job, run in some_runs],
            SERIES_GOAL_MS,
        ),
        RequestKind(
            "series, down-sampled",
            [f"{JOBS_PATH}/{job}/runs/{run}/metrics?resolution=20" for job, run in some_runs],
            SERIES_GOAL_MS,
        ),
        RequestKind(
            "series of the long run, down-sampled",
            [f"{JOBS_PATH}/{long_job}/runs/{long_run}/{series}"],
            SERIES_GOAL_MS,
        ),
        RequestKind(
            "one of them",
            [f"{JOBS_PATH}/{long_job}/runs/{long_run}/{series}&names=train_loss"],
            SERIES_GOAL_MS,
        ),
        RequestKind("20 events", of_each(ended, "/events"), PAGE_GOAL_MS),
        RequestKind("checkpoints", of_each(ended, "/checkpoints"), PAGE_GOAL_MS),
        RequestKind("1,000 files", ["/v1/files?limit=1000"]),
        RequestKind(
            "20 files of a purpose", ["/v1/files?limit=20&purpose=fine-tune"], PAGE_GOAL_MS
        ),
        RequestKind("models", ["/v1/models"]),
        RequestKind("queue", ["/v1/queue"], PAGE_GOAL_MS),
        RequestKind("usage of thirty days", ["/v1/usage"], PAGE_GOAL_MS),
    ]


def _measure_requests(
    settings: Settings, port: int, request_kinds: Sequence[RequestKind], requests: int
) -> Iterator[RequestMeasurement]:
    """Each path once to warm up, then all kinds in turn, so that what else the machine does
    meets all alike.
    """
    times: dict[str, list[float]] = {kind.name: [] for kind in request_kinds}
    sizes = dict.fromkeys(times, 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
        for turn in range(-1, requests):
            for kind in request_kinds:
                for path in kind.paths if turn < 0 else [kind.paths[turn % len(kind.paths)]]:
                    began = time.perf_counter()
                    body = http.get(path).raise_for_status().content
                    if turn >= 0:
                        times[kind.name].append(1000 * (time.perf_counter() - began))
                    sizes[kind.name] = max(sizes[kind.name], len(body))
    with TestClient(create_app(settings)) as inside:
        engine = inside.app.state.services.database.engine  # type: ignore[attr-defined]
        for kind in request_kinds:
            with record_statements(engine) as made:
                inside.get(kind.paths[0]).raise_for_status()
            yield RequestMeasurement(kind, times[kind.name], len(made), sizes[kind.name])


def _get_database_version(url: str) -> str:
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            asked = (
                "SELECT sqlite_version()"
                if database.engine.dialect.name == "sqlite"
                else "SHOW server_version"
            )
            return f"{database.engine.dialect.name} {connection.scalar(text(asked))}"
    finally:
        database.dispose()


def _build_result(
    measurements: Sequence[RequestMeasurement],
    contents: DatabaseContents,
    version: str,
    fill_and_load: tuple[float, float],
    args: Any,
) -> Result:
    """``spent``: seconds of the filling, and the system's load average over the last minute of
    the measurement.
    """
    seconds, busy = fill_and_load
    figures = {one.kind.name: _summarize_kind(one) for one in measurements}
    rows = [_format_row(name, summary) for name, summary in figures.items()]
    missed = [
        name for name, told in figures.items() if told["goal_ms"] is not None and not told["met"]
    ]
    counts = ", ".join(
        f"{contents.rows[table]:,} {words}" for table, words in _REPORTED_TABLES.items()
    )
    return Result(
        name="queries",
        title="Requests over a full database",
        command="python -m benchmarks.queries",
        text=[
            f"{version} on the same machine, as it comes, with {counts}, made in "
            f"{seconds:.0f} s. One API process on loopback, "
            f"one request at a time, {args.requests} of each kind, in turn and after a "
            f"warm-up; {count_cpu_cores()} cores for client, "
            f"service and database. The long run has {args.long_steps:,} steps with three "
            "points each; it is asked for "
            f"{RESOLUTION} points a series. The load average in the end was {busy:.1f}, of "
            "which the measurement itself makes about 1.",
        ],
        tables=[
            Table(
                ["request", "median ms", "p95 ms", "statements", "answer kB", "goal (median)"], rows
            )
        ],
        figures={
            "requests": figures,
            "rows": contents.rows,
            "fill_seconds": round(seconds),
            "load_average": busy,
            "goal_met": not missed,
        },
        notes=[f"Goals: {'not met by ' + ', '.join(missed) if missed else 'all met'}."],
        machine=describe_machine() | {"database": version},
    )


_REPORTED_TABLES = {
    "jobs": "jobs",
    "runs": "runs",
    "metrics": "metric points",
    "events": "events",
    "files": "files",
}


def _format_row(name: str, summary: dict[str, Any]) -> list[str]:
    met, goal = ("met" if summary["met"] else "not met"), summary["goal_ms"]
    return [
        name,
        f"{summary['median_ms']:.1f}",
        f"{summary['p95_ms']:.1f}",
        str(summary["statements"]),
        f"{summary['bytes'] / 1000:.0f}",
        "" if goal is None else f"≤ {goal:g}: {met}",
    ]


def _summarize_kind(measurement: RequestMeasurement) -> dict[str, Any]:
    middle, goal = median(measurement.milliseconds), measurement.kind.goal_ms
    return {
        "median_ms": round(middle, 2),
        "p95_ms": round(
            sorted(measurement.milliseconds)[int(0.95 * len(measurement.milliseconds))], 2
        ),
        "statements": measurement.statements,
        "bytes": measurement.bytes,
        "goal_ms": goal,
        "met": None if goal is None else middle <= goal,
    }


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    database = parser.add_mutually_exclusive_group()
    database.add_argument(
        "--database-url", help="an empty database; default: a PostgreSQL from its wheel"
    )
    database.add_argument("--sqlite", action="store_true", help="measure on SQLite")
    parser.add_argument(
        "--jobs", type=int, default=DatabaseSize.jobs, help=f"default {DatabaseSize.jobs:,}"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=DatabaseSize.runs,
        help=f"of a job (default {DatabaseSize.runs})",
    )
    parser.add_argument(
        "--long-steps", type=int, default=DatabaseSize.long_steps, help="of the one long run"
    )
    parser.add_argument(
        "--requests",
        type=int,
        default=REQUESTS_PER_KIND,
        help=f"of each kind (default {REQUESTS_PER_KIND})",
    )
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
