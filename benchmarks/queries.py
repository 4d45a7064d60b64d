"""How long requests take over a full database: ``python -m benchmarks.queries``.

A PostgreSQL of the benchmark's own (``--database-url`` names another empty database, ``--sqlite`` takes SQLite) is filled with 1,000 jobs,
20,000 runs and 5 million metric points. An API process of its own answers over loopback, one request after the other, each kind of request
for many jobs in turn; the statements behind a request are counted on the same application in this process.
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
from benchmarks.polling import running_api
from benchmarks.results import Result, Table, machine
from benchmarks.seed_database import Filled, Size, fill
from benchmarks.seed_database_rows import TEAMS
from benchmarks.servers import postgres_server
from benchmarks.speed_page import record
from benchmarks.statements import statements_of
from shared.db.session import Database
from shared.domain.states import JobState, RunState
from shared.infra.settings import Settings, cpu_cores

JOBS = "/v1/fine_tuning/jobs"
PAGE_MS, SERIES_MS = 50, 100
"""Goals for the median of a request."""
REQUESTS = 100
RESOLUTION = 200


class Kind(NamedTuple):
    """Requests of one kind."""

    name: str
    paths: Sequence[str]
    goal_ms: float | None = None


class Measured(NamedTuple):
    kind: Kind
    milliseconds: list[float]
    statements: int
    bytes: int
    """Of an answer's body; the largest."""


def main(arguments: Sequence[str] | None = None) -> None:
    given = _arguments(arguments)
    size = Size(given.jobs, given.runs, given.long_steps)
    with tempfile.TemporaryDirectory(prefix="evenkeel-queries-") as folder, ExitStack() as running:
        home = Path(folder) / "home"
        home.mkdir()
        url = running.enter_context(_database(given, Path(folder)))
        settings = Settings(home=home, database_url=url, redis_url=f"redis+socket://{home}/none")
        began = time.perf_counter()
        filled = fill(settings, size)
        seconds = time.perf_counter() - began
        port = running.enter_context(running_api(home, url))
        measured = list(_measure(settings, port, kinds(filled), given.requests))
        busy = os.getloadavg()[0]
        result = _result(measured, filled, _version(url), (seconds, busy), given)
    if given.dry:
        json.dump(result.figures, sys.stdout, indent=1)
    else:
        record(result)


@contextmanager
def _database(given: argparse.Namespace, folder: Path) -> Iterator[str]:
    if given.sqlite or given.database_url:
        yield given.database_url or f"sqlite:///{folder / 'evenkeel.db'}"
        return
    home = folder / "postgresql"
    home.mkdir()
    with postgres_server(home) as server:
        yield server.create("queries")


def kinds(filled: Filled) -> list[Kind]:
    """What is asked: of many jobs and runs where there are many, so that no answer is always the same one."""
    chance = random.Random(0)

    def some(state: JobState) -> list[str]:
        return chance.sample(found, min(20, len(found))) if (found := filled.of(state)) else []

    ended, running, queued = (
        some(state) for state in (JobState.SUCCEEDED, JobState.RUNNING, JobState.QUEUED)
    )
    runs = [(job, run) for job, run, state in filled.runs if state == RunState.SUCCEEDED]
    some_runs = chance.sample(runs, min(20, len(runs)))
    series, (long_job, long_run) = f"metrics?resolution={RESOLUTION}", filled.long_run
    ids = [job for job, _ in filled.jobs]
    deep = ids[len(ids) // 10]
    studies = sorted({place // 5 for place in range(0, len(ids), max(1, len(ids) // 20))})

    def of_each(jobs: Sequence[str], rest: str) -> list[str]:
        return [f"{JOBS}/{job}{rest}" for job in jobs]

    return [
        Kind("20 jobs", [JOBS], PAGE_MS),
        Kind("100 jobs", [f"{JOBS}?limit=100"]),
        Kind("20 jobs, the last tenth", [f"{JOBS}?after={deep}"], PAGE_MS),
        Kind("20 jobs of a team", [f"{JOBS}?metadata[team]={team}" for team in TEAMS], PAGE_MS),
        Kind(
            "the few jobs of a study",
            [f"{JOBS}?metadata[study]=study-{study}" for study in studies],
            PAGE_MS,
        ),
        Kind("an ended job", of_each(ended, ""), PAGE_MS),
        Kind("a running job", of_each(running, ""), PAGE_MS),
        Kind("a queued job", of_each(queued, ""), PAGE_MS),
        Kind("stability of an ended job", of_each(ended, "/stability"), PAGE_MS),
        Kind("stability of a running job", of_each(running, "/stability"), PAGE_MS),
        Kind("runs of a job", of_each(ended, "/runs"), PAGE_MS),
        Kind("a run", [f"{JOBS}/{job}/runs/{run}" for job, run in some_runs], PAGE_MS),
        Kind(
            "series of a run",
            [f"{JOBS}/{job}/runs/{run}/metrics" for job, run in some_runs],
            SERIES_MS,
        ),
        Kind(
            "series, down-sampled",
            [f"{JOBS}/{job}/runs/{run}/metrics?resolution=20" for job, run in some_runs],
            SERIES_MS,
        ),
        Kind(
            "series of the long run, down-sampled",
            [f"{JOBS}/{long_job}/runs/{long_run}/{series}"],
            SERIES_MS,
        ),
        Kind(
            "one of them",
            [f"{JOBS}/{long_job}/runs/{long_run}/{series}&names=train_loss"],
            SERIES_MS,
        ),
        Kind("20 events", of_each(ended, "/events"), PAGE_MS),
        Kind("checkpoints", of_each(ended, "/checkpoints"), PAGE_MS),
        Kind("1,000 files", ["/v1/files?limit=1000"]),
        Kind("20 files of a purpose", ["/v1/files?limit=20&purpose=fine-tune"], PAGE_MS),
        Kind("models", ["/v1/models"]),
        Kind("queue", ["/v1/queue"], PAGE_MS),
        Kind("usage of thirty days", ["/v1/usage"], PAGE_MS),
    ]


def _measure(
    settings: Settings, port: int, asked: Sequence[Kind], requests: int
) -> Iterator[Measured]:
    """Each path once to warm up, then all kinds in turn, so that what else the machine does meets all alike."""
    times: dict[str, list[float]] = {kind.name: [] for kind in asked}
    sizes = dict.fromkeys(times, 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
        for turn in range(-1, requests):
            for kind in asked:
                for path in kind.paths if turn < 0 else [kind.paths[turn % len(kind.paths)]]:
                    began = time.perf_counter()
                    body = http.get(path).raise_for_status().content
                    if turn >= 0:
                        times[kind.name].append(1000 * (time.perf_counter() - began))
                    sizes[kind.name] = max(sizes[kind.name], len(body))
    with TestClient(create_app(settings)) as inside:
        engine = inside.app.state.services.database.engine  # type: ignore[attr-defined]
        for kind in asked:
            with statements_of(engine) as made:
                inside.get(kind.paths[0]).raise_for_status()
            yield Measured(kind, times[kind.name], len(made), sizes[kind.name])


def _version(url: str) -> str:
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


def _result(
    measured: Sequence[Measured],
    filled: Filled,
    version: str,
    spent: tuple[float, float],
    given: Any,
) -> Result:
    """``spent``: seconds of the filling, and the system's load average over the last minute of the measurement."""
    seconds, busy = spent
    figures = {one.kind.name: _summary(one) for one in measured}
    rows = [
        [name, f"{told['median_ms']:.1f}", f"{told['p95_ms']:.1f}", str(told["statements"]), f"{told['bytes'] / 1000:.0f}",
         "" if told["goal_ms"] is None else f"≤ {told['goal_ms']:g}: {'met' if told['met'] else 'not met'}"]
        for name, told in figures.items()
    ]  # fmt: skip
    missed = [
        name for name, told in figures.items() if told["goal_ms"] is not None and not told["met"]
    ]
    counts = ", ".join(f"{filled.rows[table]:,} {words}" for table, words in _TOLD_TABLES.items())
    return Result(
        name="queries",
        title="Requests over a full database",
        command="python -m benchmarks.queries",
        text=[
            f"{version} on the same machine, as it comes, with {counts}, made in {seconds:.0f} s. One API process on loopback, "
            f"one request at a time, {given.requests} of each kind, in turn and after a warm-up; {cpu_cores()} cores for client, "
            f"service and database. The long run has {given.long_steps:,} steps with three points each; it is asked for "
            f"{RESOLUTION} points a series. The load average in the end was {busy:.1f}, of which the measurement itself makes about 1.",
        ],
        tables=[
            Table(
                ["request", "median ms", "p95 ms", "statements", "answer kB", "goal (median)"], rows
            )
        ],
        figures={
            "requests": figures,
            "rows": filled.rows,
            "fill_seconds": round(seconds),
            "load_average": busy,
            "goal_met": not missed,
        },
        notes=[f"Goals: {'not met by ' + ', '.join(missed) if missed else 'all met'}."],
        machine=machine() | {"database": version},
    )


_TOLD_TABLES = {
    "jobs": "jobs",
    "runs": "runs",
    "metrics": "metric points",
    "events": "events",
    "files": "files",
}


def _summary(one: Measured) -> dict[str, Any]:
    middle, goal = median(one.milliseconds), one.kind.goal_ms
    return {
        "median_ms": round(middle, 2),
        "p95_ms": round(sorted(one.milliseconds)[int(0.95 * len(one.milliseconds))], 2),
        "statements": one.statements,
        "bytes": one.bytes,
        "goal_ms": goal,
        "met": None if goal is None else middle <= goal,
    }


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    database = parser.add_mutually_exclusive_group()
    database.add_argument(
        "--database-url", help="an empty database; default: a PostgreSQL from its wheel"
    )
    database.add_argument("--sqlite", action="store_true", help="measure on SQLite")
    parser.add_argument("--jobs", type=int, default=Size.jobs, help=f"default {Size.jobs:,}")
    parser.add_argument(
        "--runs", type=int, default=Size.runs, help=f"of a job (default {Size.runs})"
    )
    parser.add_argument(
        "--long-steps", type=int, default=Size.long_steps, help="of the one long run"
    )
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help=f"of each kind (default {REQUESTS})"
    )
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
