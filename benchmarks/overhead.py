"""What the service adds to training: ``EVENKEEL_GLUE_DIR=… python -m benchmarks.overhead``.

The same 20 short runs of the real encoder, on CoLA cut small, once as a job of a whole service
of its own (``evenkeel up`` in a temporary home: queue, claims, metrics, artefacts, report,
published model) and once as plain calls of the training package, in as many processes as the
service has slots, with the same threads, nothing recorded, the export written and thrown away.
Both score the job's baselines first. In turn, round by round; both sides warm. ``--quick`` is
small enough to try it out.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks.direct import DirectRunner
from benchmarks.glue import TASKS, get_glue_folder, write_subset
from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result
from benchmarks.trainer_commands import build_data_spec, build_run_spec
from cli.client import Client
from cli.demo import run_child_service
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain.states import ENDED_JOB_STATES, JobState, Purpose
from shared.infra.settings import count_cpu_cores

TASK = TASKS["CoLA"]
RATIO_GOAL, FIRST_METRIC_GOAL_S = 1.05, 2.0
POLL_S = 0.05
DEFAULTS = (20, 40, 400, 3)
"""Seeds, steps, rows, rounds."""


@dataclass(frozen=True)
class Round:
    """One job and the same runs without the service; seconds."""

    job: float
    """From the first claim to the job's end, which is published by then."""
    baselines: float
    """In which one slot scored the job's baselines."""
    publishing: float
    """From the end of the last run to that of the job."""
    between: float
    """From the end of a run to the next claim of the same slot: median."""
    run: float
    """From a run's claim to its end: median."""
    direct: float
    direct_run: float

    @property
    def ratio(self) -> float:
        return self.job / self.direct


def main() -> None:
    given = _parse_arguments()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that the stack is stopped in order
    slots = count_cpu_cores()
    with tempfile.TemporaryDirectory(prefix="evenkeel-overhead-") as temporary:
        home = Path(temporary)
        data = write_subset(get_glue_folder(), TASK, given.rows, home / "data")
        (home / "service").mkdir()
        with (
            run_child_service(home / "service") as url,
            Client(url) as client,
            DirectRunner(slots) as direct,
        ):
            database = Database(f"sqlite:///{home / 'service' / 'evenkeel.db'}")
            file = client.upload_file(data).id
            _run_job(client, database, file, seeds=slots, steps=2)  # trainers start, files are read
            rounds = [
                _measure_round(client, database, direct, file, data, given, home)
                for _ in range(given.rounds)
            ]
            first = [
                seen
                for _ in range(given.rounds)
                for seen in _measure_first_metrics(client, database, file, slots)
            ]
            database.dispose()
    record_result(_build_result(rounds, first, given, slots))


def _measure_round(
    client: Client,
    database: Database,
    direct: DirectRunner,
    file: str,
    data: Path,
    args: argparse.Namespace,
    home: Path,
) -> Round:
    job, runs = _run_job(client, database, file, seeds=args.seeds, steps=args.steps)
    main_runs = [run for run in runs if run.purpose == Purpose.MAIN]
    specs = [build_run_spec(job, run.seed, data, home / "direct" / run.id) for run in main_runs]
    baselines = build_data_spec(job, "ftrun-baselines", data)
    direct.run([baselines, *specs[: direct.processes]], steps=2)  # as warm as the service
    seconds, each = direct.run([baselines, *specs])
    started, finished = min(map(_get_start_time, runs)), max(map(_get_finish_time, runs))
    return Round(
        job=(job.finished_at or 0) - started,
        baselines=sum(
            _get_finish_time(run) - _get_start_time(run)
            for run in runs
            if run.purpose == Purpose.BASELINES
        ),
        publishing=(job.finished_at or 0) - finished,
        between=statistics.median(_iterate_gaps(runs)),
        run=statistics.median(_get_finish_time(run) - _get_start_time(run) for run in main_runs),
        direct=seconds,
        direct_run=statistics.median(each),
    )


def _run_job(
    client: Client, database: Database, file: str, *, seeds: int, steps: int
) -> tuple[Job, Sequence[Run]]:
    """A job to its end, with its rows, whose times are exact; what it kept on the disk is left
    to the temporary home.
    """
    job_id = _create_job(client, file, seeds=seeds, steps=steps)
    while True:
        with database.read() as session:
            job = session.get_one(Job, job_id)
            if job.status in ENDED_JOB_STATES:
                runs = session.scalars(
                    select(Run).where(Run.job_id == job_id).order_by(Run.started_at)
                ).all()
                break
        time.sleep(0.5)
    if job.status != JobState.SUCCEEDED:
        raise SystemExit(f"The job {job.status}: {job.error}")
    return job, runs


def _create_job(client: Client, file: str, *, seeds: int, steps: int) -> str:
    recipe = {"preset": "debiased", "max_steps": steps, "eval_points": 2}
    body: dict[str, Any] = {
        "training_file": file,
        "task": TASK.task,
        "recipe": recipe,
        "runs": {"num_seeds": seeds},
        "evaluation": {"metric": TASK.metric},
    }
    return client.create_job(body).id


def _get_start_time(run: Run) -> float:
    assert run.started_at is not None
    return run.started_at


def _get_finish_time(run: Run) -> float:
    assert run.finished_at is not None
    return run.finished_at


def _iterate_gaps(runs: Sequence[Run]) -> Iterator[float]:
    by_slot = sorted(runs, key=lambda run: (run.worker or "", _get_start_time(run)))
    for _, mine in groupby(by_slot, key=lambda run: run.worker):
        yield from (
            _get_start_time(after) - _get_finish_time(before) for before, after in pairwise(mine)
        )


def _measure_first_metrics(
    client: Client, database: Database, file: str, slots: int
) -> Iterator[float]:
    """Seconds from a run's claim by a warm worker until its first training loss is answered by
    the API.
    """
    job_id = _create_job(client, file, seeds=slots, steps=20)
    seen: dict[str, float] = {}
    runs = client.list_runs(job_id)
    while len(seen) < len(runs):
        for run in runs:
            if run.id not in seen and client.list_run_metrics(job_id, run.id, "train_loss"):
                seen[run.id] = time.time()
        time.sleep(POLL_S)
    while client.get_job(job_id).status not in ENDED_JOB_STATES:
        time.sleep(0.5)
    with database.read() as session:
        for run_id, moment in seen.items():
            yield moment - _get_start_time(session.get_one(Run, run_id))


def _build_result(
    rounds: Sequence[Round], first_metrics: Sequence[float], args: argparse.Namespace, slots: int
) -> Result:
    ratios = [one.ratio for one in rounds]
    rows = [_format_row(number, one) for number, one in enumerate(rounds, start=1)]
    ratio, slowest = statistics.median(ratios), max(first_metrics)
    options = " --quick" if args.quick else ""
    if not args.quick and (args.seeds, args.steps, args.rows, args.rounds) != DEFAULTS:
        options = (
            f" --seeds {args.seeds} --steps {args.steps} --rows {args.rows} --rounds {args.rounds}"
        )
    return Result(
        name="overhead",
        title="What the service adds to training",
        command=f"EVENKEEL_GLUE_DIR=… python -m benchmarks.overhead{options}",
        text=[
            f"{args.seeds} runs of {args.steps} steps (batch 16, two evaluations, export "
            "of the weights), all-MiniLM-L6-v2 on CoLA "
            f"cut to {args.rows} rows, {slots} at a time with a thread each: as a job of "
            "the whole service, and as plain calls of "
            f"`train_run` in {slots} warm processes. The job counts from its first claim "
            "to its end with the model "
            "published. Both sides score the baselines, in one slot while the other trains.",
        ],
        tables=[
            Table(
                [
                    "round",
                    "job s",
                    "baselines s",
                    "publishing s",
                    "direct s",
                    "a run s, job / direct",
                    "between runs ms",
                    "ratio",
                ],
                rows,
            )
        ],
        figures={
            "ratio": ratio,
            "ratios": ratios,
            "first_metric_s": list(first_metrics),
            "rounds": [vars(one) for one in rounds],
            "slots": slots,
        },
        notes=[
            (
                f"Median ratio {ratio:.3f}; goal ≤ {RATIO_GOAL}: "
                f"{'met' if ratio <= RATIO_GOAL else 'not met'}."
            ),
            "First metric of a queued run, from its claim by a warm worker until the API "
            "answers it: median "
            f"{statistics.median(first_metrics):.2f} s, slowest of {len(first_metrics)} "
            f"{slowest:.2f} s; goal ≤ {FIRST_METRIC_GOAL_S:g} s: "
            f"{'met' if slowest <= FIRST_METRIC_GOAL_S else 'not met'}.",
        ],
    )


def _format_row(number: int, measured: Round) -> list[str]:
    return [
        str(number),
        f"{measured.job:.2f}",
        f"{measured.baselines:.2f}",
        f"{measured.publishing:.2f}",
        f"{measured.direct:.2f}",
        f"{measured.run:.2f} / {measured.direct_run:.2f}",
        f"{measured.between * 1000:.0f}",
        f"{measured.ratio:.3f}",
    ]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="4 runs of 8 steps, one round")
    seeds, steps, rows, rounds = DEFAULTS
    parser.add_argument("--seeds", type=int, default=seeds, help=f"runs of a job (default {seeds})")
    parser.add_argument("--steps", type=int, default=steps, help=f"of each run (default {steps})")
    parser.add_argument("--rows", type=int, default=rows, help=f"CoLA rows (default {rows})")
    parser.add_argument(
        "--rounds", type=int, default=rounds, help=f"of both sides (default {rounds})"
    )
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.steps, given.rounds = 4, 8, 1
    return given


if __name__ == "__main__":
    os.umask(0o077)
    main()
