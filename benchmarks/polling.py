"""Poll a job at a fixed rate: ``python -m benchmarks.polling``.

An API process in a temporary home has one job of 20 runs: twelve have ended, and two record
their steps every half second, as a worker would. First no trainer runs, so that client and API
have the cores to themselves; then one niced trainer per core runs beside them.
``--database-url`` measures on PostgreSQL (an empty database) instead of SQLite.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.api_process import run_api
from benchmarks.open_loop import Sample, measure_latency
from benchmarks.results import Result, Table, format_verdict
from benchmarks.simulated_training import STEPS, TRAINING_RUNS, run_trainers, simulate_training
from benchmarks.speed_page import publish_result
from cli.client import Client
from shared.datasets.sample_dataset import write_dataset
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job
from shared.infra.settings import count_cpu_cores

RATE, CONNECTIONS, RUNS = 800, 50, 20
GOAL_MS = 50
DATA_FILENAME = "docstrings.csv"
ALONE, BESIDE_TRAINERS = "trainer elsewhere", "beside niced trainers"
COLUMNS = ("", "answer", "answers/s", "p50 ms", "p90 ms", "p99 ms", "max ms", "304", "errors")
Summary = dict[str, float | int]
Samples = Mapping[str, Sample]
"""By the kind of response: ``200`` without and ``ETag`` with ``If-None-Match``."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measure without and with trainers, and publish the result."""
    options = _parse_arguments(argv)
    with tempfile.TemporaryDirectory(prefix="evenkeel-polling-") as folder, ExitStack() as running:
        home = Path(folder)
        url = options.database_url or f"sqlite:///{home / 'evenkeel.db'}"
        apply_migrations(url)
        port = running.enter_context(run_api(home, url))
        database = Database(url)
        running.callback(database.dispose)
        job_id = _create_job(f"http://127.0.0.1:{port}", home)
        running.enter_context(simulate_training(database, job_id))
        path = f"/v1/fine_tuning/jobs/{job_id}"
        sides = {ALONE: _measure_both(port, path, options)}
        if not options.no_trainer:
            with database.read() as session:
                job = session.get_one(Job, job_id)
            with run_trainers(job, home / DATA_FILENAME, home, count_cpu_cores()):
                sides[BESIDE_TRAINERS] = _measure_both(port, path, options)
    result = _build_result(sides, options, database.engine.dialect.name)
    publish_result(result, dry=options.dry)


def _measure_both(port: int, path: str, options: argparse.Namespace) -> Samples:
    """Measure without and with ``If-None-Match``, one after the other, after a warm-up."""
    measure = partial(measure_latency, port, path, rate=options.rate, connections=CONNECTIONS)
    asyncio.run(measure(seconds=1.0, conditional=False))
    return {
        "200": asyncio.run(measure(seconds=options.seconds, conditional=False)),
        "ETag": asyncio.run(measure(seconds=options.seconds, conditional=True)),
    }


def _create_job(url: str, home: Path) -> str:
    write_dataset(home / DATA_FILENAME, 560)
    with Client(url) as client:
        file = client.upload_file(home / DATA_FILENAME)
        recipe = {"max_steps": STEPS, "reinit_layers": 1, "learning_rate": 6.4e-4}
        return client.create_job(
            {"training_file": file.id, "runs": {"num_seeds": RUNS}, "recipe": recipe}
        ).id


def _build_result(
    sides: Mapping[str, Samples], options: argparse.Namespace, database: str
) -> Result:
    summaries = {
        side: {kind: sample.build_summary() for kind, sample in samples.items()}
        for side, samples in sides.items()
    }
    met = all(map(_meets_goal, summaries[ALONE].values()))
    own = {"rate": options.rate, "seconds": options.seconds, "database": database, "goal_met": met}
    return Result(
        name="polling",
        title="Polling a job",
        command="python -m benchmarks.polling",
        text=[_format_text(options, database)],
        tables=[_build_table(summaries)],
        figures=summaries | own,
        notes=[f"Goal without trainers: p99 ≤ {GOAL_MS} ms and no error: {format_verdict(met)}."],
    )


def _meets_goal(summary: Summary) -> bool:
    return summary["p99_ms"] <= GOAL_MS and not summary["errors"]


def _build_table(summaries: Mapping[str, Mapping[str, Summary]]) -> Table:
    rows = [
        [side, kind, *_format_cells(summary)]
        for side, by_kind in summaries.items()
        for kind, summary in by_kind.items()
    ]
    return Table(COLUMNS, rows)


def _format_text(options: argparse.Namespace, database: str) -> str:
    return (
        f"{options.rate} GET requests per second for one job over {CONNECTIONS} keep-alive "
        f"connections on loopback, for {options.seconds:g} s per row. Client, one API process "
        f"({database}) and, in the rows beside trainers, one niced trainer per core share "
        f"{count_cpu_cores()} cores. The job has {RUNS} runs, {TRAINING_RUNS} of which record "
        "steps twice a second. Latency counts from the moment a request was due, even if its "
        "connection was still busy."
    )


def _format_cells(summary: Summary) -> list[str]:
    plain = ("per_second", "p50_ms", "p90_ms", "p99_ms", "max_ms")
    return [
        *(f"{summary[name]:g}" for name in plain),
        f"{summary['not_modified'] / summary['requests']:.0%}",
        str(summary["errors"]),
    ]


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rate", type=float, default=RATE, help=f"requests per second (default {RATE})"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row (default 20)")
    parser.add_argument("--database-url", help="an empty PostgreSQL database (default: SQLite)")
    parser.add_argument(
        "--no-trainer", action="store_true", help="leave out the rows beside trainers"
    )
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
