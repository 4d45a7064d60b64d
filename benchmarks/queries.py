"""Measure requests over a full database: ``python -m benchmarks.queries``.

The benchmark fills its own PostgreSQL (``--database-url`` names another empty database,
``--sqlite`` uses SQLite) with 1,000 jobs, 20,000 runs and 5 million metric points. An API
process answers over loopback, one request after the other, and the kinds of requests take
turns. The SQL statements of each request are counted on the same application in this process.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from benchmarks.api_process import run_api
from benchmarks.fill_database import DatabaseSize, fill_database
from benchmarks.queries_result import Conditions, RequestMeasurement, build_result
from benchmarks.request_kinds import RequestKind, build_request_kinds
from benchmarks.servers import run_postgres_server
from benchmarks.speed_page import publish_result
from benchmarks.statements import record_statements
from shared.db.session import Database
from shared.infra.settings import Settings

REQUESTS_PER_KIND = 100


def main(argv: Sequence[str] | None = None) -> None:
    """Fill the database, measure the requests and publish the result."""
    options = _parse_arguments(argv)
    size = DatabaseSize(options.jobs, options.runs, options.long_steps)
    with tempfile.TemporaryDirectory(prefix="evenkeel-queries-") as folder, ExitStack() as running:
        home = Path(folder) / "home"
        home.mkdir()
        url = running.enter_context(_provide_database(options, Path(folder)))
        settings = Settings(home=home, database_url=url, redis_url=f"redis+socket://{home}/none")
        began = time.perf_counter()
        contents = fill_database(settings, size)
        fill_seconds = time.perf_counter() - began
        port = running.enter_context(run_api(home, url))
        kinds = build_request_kinds(contents)
        measurements = _measure_requests(settings, port, kinds, options.requests)
        conditions = Conditions(
            database=_get_database_version(url),
            fill_seconds=fill_seconds,
            load_average=os.getloadavg()[0],
            requests=options.requests,
            long_steps=options.long_steps,
        )
    publish_result(build_result(measurements, contents, conditions), dry=options.dry)


@contextmanager
def _provide_database(options: argparse.Namespace, folder: Path) -> Iterator[str]:
    if options.sqlite or options.database_url:
        yield options.database_url or f"sqlite:///{folder / 'evenkeel.db'}"
        return
    home = folder / "postgresql"
    home.mkdir()
    with run_postgres_server(home) as server:
        yield server.create_database("queries")


def _measure_requests(
    settings: Settings, port: int, kinds: Sequence[RequestKind], requests: int
) -> list[RequestMeasurement]:
    times, sizes = _time_requests(port, kinds, requests)
    statements = _count_statements(settings, kinds)
    return [
        RequestMeasurement(kind, times[kind.name], statements[kind.name], sizes[kind.name])
        for kind in kinds
    ]


def _time_requests(
    port: int, kinds: Sequence[RequestKind], requests: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return the milliseconds of each request and the largest response body, by kind.

    The first turn requests every path once to warm up. The kinds take turns, so that other load
    on the machine affects all of them alike.
    """
    times: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    sizes = dict.fromkeys(times, 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
        for turn in range(-1, requests):
            for kind in kinds:
                for path in kind.paths if turn < 0 else [kind.paths[turn % len(kind.paths)]]:
                    began = time.perf_counter()
                    body = http.get(path).raise_for_status().content
                    if turn >= 0:
                        times[kind.name].append(1000 * (time.perf_counter() - began))
                    sizes[kind.name] = max(sizes[kind.name], len(body))
    return times, sizes


def _count_statements(settings: Settings, kinds: Sequence[RequestKind]) -> dict[str, int]:
    """Count the SQL statements of one request of each kind."""
    counts = {}
    with TestClient(create_app(settings), base_url="http://localhost") as http:
        engine = http.app.state.services.database.engine  # type: ignore[attr-defined]
        for kind in kinds:
            with record_statements(engine) as statements:
                http.get(kind.paths[0]).raise_for_status()
            counts[kind.name] = len(statements)
    return counts


def _get_database_version(url: str) -> str:
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            name = database.engine.dialect.name
            query = "SELECT sqlite_version()" if name == "sqlite" else "SHOW server_version"
            return f"{name} {connection.scalar(text(query))}"
    finally:
        database.dispose()


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    database = parser.add_mutually_exclusive_group()
    database.add_argument(
        "--database-url", help="an empty database (default: a PostgreSQL from its wheel)"
    )
    database.add_argument("--sqlite", action="store_true", help="measure on SQLite")
    for name, default, meaning in (
        ("--jobs", DatabaseSize.jobs, "number of jobs"),
        ("--runs", DatabaseSize.runs, "runs per job"),
        ("--long-steps", DatabaseSize.long_steps, "steps of the one long run"),
        ("--requests", REQUESTS_PER_KIND, "requests of each kind"),
    ):
        help_text = f"{meaning} (default {default:,})"
        parser.add_argument(name, type=int, default=default, help=help_text)
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
