"""Polling a job at a fixed rate: ``python -m benchmarks.polling``.

An API of its own, in a temporary home, knows one job of 20 runs: twelve have ended, two are in
training, and every half second both record their steps, as a supervisor would. The trainer is
elsewhere: client and API have the cores to themselves. Then the same beside niced trainers, one
a core. ``--database-url`` measures on PostgreSQL (an empty database) instead of SQLite.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.open_loop import Sample, measure_latency
from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result
from benchmarks.trainer_commands import build_run_spec
from cli.client import Client
from cli.demo_dataset import write_dataset
from cli.up import is_healthy, open_listener
from shared.db.metrics import Point
from shared.db.migrate import apply_migrations
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Job
from shared.domain.states import RunState
from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    make_parent_death_hook,
)
from shared.infra.settings import count_cpu_cores

RATE, CONNECTIONS, RUNS, STEPS = 800, 50, 20, 300
ENDED_RUNS, TRAINING_RUNS = 12, 2
FLUSH_S, LEASE_S = 0.5, 3600.0
GOAL_MS = 50
DATA_FILENAME = "docstrings.csv"


def main() -> None:
    given = _parse_arguments()
    with tempfile.TemporaryDirectory(prefix="evenkeel-polling-") as folder, ExitStack() as running:
        home = Path(folder)
        url = given.database_url or f"sqlite:///{home / 'evenkeel.db'}"
        apply_migrations(url)
        port = running.enter_context(run_api(home, url))
        database = Database(url)
        running.callback(database.dispose)
        job_id = _create_job(f"http://127.0.0.1:{port}", home)
        running.enter_context(_simulate_training(database, job_id))
        path = f"/v1/fine_tuning/jobs/{job_id}"
        sides = {"trainer elsewhere": _measure_both(port, path, given)}
        if not given.no_trainer:
            with database.read() as session:
                job = session.get_one(Job, job_id)
            with _run_trainers(home, job, count_cpu_cores()):
                sides["beside niced trainers"] = _measure_both(port, path, given)
    result = _build_result(sides, given, database.engine.dialect.name)
    if given.dry:
        json.dump(result.figures, sys.stdout, indent=1)
    else:
        record_result(result)


def _measure_both(port: int, path: str, args: argparse.Namespace) -> dict[str, Sample]:
    """Without and with ``If-None-Match``, in turn and after a warm-up."""

    def measure_polling(seconds: float, *, conditional: bool) -> Sample:
        options = {"rate": args.rate, "connections": CONNECTIONS, "conditional": conditional}
        return asyncio.run(measure_latency(port, path, seconds=seconds, **options))

    measure_polling(1.0, conditional=False)
    return {
        "200": measure_polling(args.seconds, conditional=False),
        "ETag": measure_polling(args.seconds, conditional=True),
    }


@contextmanager
def run_api(home: Path, database_url: str) -> Iterator[int]:
    """The API alone, as ``evenkeel up`` starts it: one process; yields its port. No bell is
    there to ring.
    """
    settings = {
        "HOME": home,
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis+socket://{home}/none",
    }
    plain = {name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")}
    environment = (
        plain
        | build_module_environment()
        | {f"EVENKEEL_{name}": str(value) for name, value in settings.items()}
    )
    with open_listener("127.0.0.1", 0) as listener, (home / "api.log").open("wb") as log:
        api = subprocess.Popen(
            build_module_command("api", "--fd", str(listener.fileno())),
            pass_fds=[listener.fileno()],
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=make_parent_death_hook(),
        )
        port = int(listener.getsockname()[1])
        try:
            while not asyncio.run(is_healthy("127.0.0.1", port)):
                if api.poll() is not None:
                    raise SystemExit((home / "api.log").read_text(encoding="utf-8"))
            yield port
        finally:
            api.terminate()
            api.wait()


def _create_job(url: str, home: Path) -> str:
    write_dataset(home / DATA_FILENAME, 560)
    with Client(url) as client:
        file = client.upload_file(home / DATA_FILENAME)
        recipe = {"max_steps": STEPS, "reinit_layers": 1}
        return client.create_job(
            {"training_file": file.id, "runs": {"num_seeds": RUNS}, "recipe": recipe}
        ).id


@contextmanager
def _simulate_training(database: Database, job_id: str) -> Iterator[None]:
    """Some runs have ended; those in training record steps while the block runs."""
    with database.write() as session:
        runs = Runs(session)
        runs.start_job(runs.list_ids_by_job(job_id)[0])
        training = []
        for run in runs.list_by_job(job_id)[: ENDED_RUNS + TRAINING_RUNS]:
            hold = runs.claim_next("elsewhere", LEASE_S, preferred_run_id=run.id)
            assert hold is not None
            runs.record_progress(
                hold, LEASE_S, _build_points(1, STEPS // 2), step=STEPS // 2, train_loss=0.5
            )
            if run.index < ENDED_RUNS:
                runs.finish_run(
                    hold,
                    RunState.SUCCEEDED,
                    step=STEPS,
                    validation_score=0.7 + run.index / 100,
                    degenerate=False,
                )
            else:
                training.append(hold)
    stop = threading.Event()

    def record_steps() -> None:
        step = STEPS // 2
        while not stop.wait(FLUSH_S):
            step += 1
            for hold in training:
                with database.write() as session:
                    Runs(session).record_progress(
                        hold, LEASE_S, _build_points(step, step), step=step, train_loss=1 / step
                    )

    thread = threading.Thread(target=record_steps, name="elsewhere")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _build_points(first: int, last: int) -> list[Point]:
    names = ("train_loss", "learning_rate", "grad_norm")
    return [Point(name, step, 1 / step) for step in range(first, last + 1) for name in names]


@contextmanager
def _run_trainers(home: Path, job: Job, count: int) -> Iterator[None]:
    """Trainer processes at work on the job's data while the block runs, a thread each, as nice
    as they make themselves.
    """
    environment = (
        os.environ | build_module_environment() | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    )
    trainers = []
    try:
        for seed in range(count):
            spec = build_run_spec(
                job, seed, home / DATA_FILENAME, home / f"run-{seed}", max_steps=1_000_000
            )
            process = subprocess.Popen(
                build_module_command("worker.trainer"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                preexec_fn=make_parent_death_hook(),
            )
            trainers.append(process)
            assert process.stdin is not None
            process.stdin.write(json.dumps({"run": spec}).encode() + b"\n")
            process.stdin.flush()
        for process in trainers:
            assert process.stdout is not None
            while b'"step"' not in process.stdout.readline():
                continue
            threading.Thread(target=process.stdout.read, daemon=True).start()
        yield
    finally:
        for process in trainers:
            process.kill()
            process.wait()


def _build_result(
    sides: dict[str, dict[str, Sample]], args: argparse.Namespace, database: str
) -> Result:
    figures = {
        side: {kind: sample.build_summary() for kind, sample in samples.items()}
        for side, samples in sides.items()
    }
    rows = [
        [side, kind, *_format_cells(summary)]
        for side, kinds in figures.items()
        for kind, summary in kinds.items()
    ]
    best = figures["trainer elsewhere"]
    met = all(summary["p99_ms"] <= GOAL_MS and not summary["errors"] for summary in best.values())
    return Result(
        name="polling",
        title="Polling a job",
        command="python -m benchmarks.polling",
        text=[
            f"{args.rate} GET requests of one job a second over {CONNECTIONS} keep-alive "
            "connections on loopback for "
            f"{args.seconds:g} s a row; client, one API process ({database}) and, in the "
            "rows beside them, one niced trainer a "
            f"core share {count_cpu_cores()} cores. The job has {RUNS} runs, {TRAINING_RUNS} of "
            "which record steps twice a second. "
            "Latency counts from the moment a request was due, whether or not its "
            "connection was free to send it.",
        ],
        tables=[
            Table(
                [
                    "",
                    "answer",
                    "answers/s",
                    "p50 ms",
                    "p90 ms",
                    "p99 ms",
                    "max ms",
                    "304",
                    "errors",
                ],
                rows,
            ),
        ],
        figures=figures
        | {"rate": args.rate, "seconds": args.seconds, "database": database, "goal_met": met},
        notes=[
            (
                f"Goal, with the trainer elsewhere: p99 ≤ {GOAL_MS} ms and no error: "
                f"{'met' if met else 'not met'}."
            )
        ],
    )


def _format_cells(summary: dict[str, float | int]) -> list[str]:
    plain = ("per_second", "p50_ms", "p90_ms", "p99_ms", "max_ms")
    return [
        *(f"{summary[name]:g}" for name in plain),
        f"{summary['not_modified'] / summary['requests']:.0%}",
        str(summary["errors"]),
    ]


def _parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rate", type=float, default=RATE, help=f"requests a second (default {RATE})"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row (default 20)")
    parser.add_argument("--database-url", help="an empty PostgreSQL database; default: SQLite")
    parser.add_argument(
        "--no-trainer", action="store_true", help="leave the rows beside trainers out"
    )
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
