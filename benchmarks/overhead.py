"""Measure what the service adds to training:
``EVENKEEL_GLUE_DIR=… python -m benchmarks.overhead``.

The same 20 short runs of the real encoder, on a small part of CoLA, take place twice: as a job
of a whole service (``evenkeel up`` in a temporary home: queue, claims, metrics, artifacts,
report, published model), and as direct calls of the training package. The direct calls run in
as many processes as the service has slots, with the same threads; they record nothing and
delete their exports. Both sides score the job's baselines first, both are warm, and they take
turns. ``--quick`` is small enough to try the benchmark out.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, pairwise
from pathlib import Path

from sqlalchemy import select

from benchmarks.direct import DirectRunner
from benchmarks.glue import TASKS, get_glue_folder, write_subset
from benchmarks.overhead_result import OverheadPlan, Round, build_result
from benchmarks.results import Result
from benchmarks.speed_page import record_result
from benchmarks.trainer_commands import build_data_spec, build_run_spec
from cli.client import Client
from cli.demo import run_child_service
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain.states import ENDED_JOB_STATES, JobState, Purpose
from shared.infra.settings import count_cpu_cores

TASK = TASKS["CoLA"]
POLL_S = 0.05
DEFAULT_PLAN, QUICK_PLAN = OverheadPlan(), OverheadPlan(seeds=4, steps=8, rounds=1)
COUNTS = {
    "seeds": "runs of a job",
    "steps": "steps of each run",
    "rows": "rows of CoLA",
    "rounds": "rounds of both sides",
}


@dataclass(frozen=True)
class Service:
    """A running service with an uploaded training file."""

    client: Client
    database: Database
    file_id: str

    def create_job(self, *, seeds: int, steps: int) -> str:
        """Create a job of this many runs; returns its id."""
        body = {
            "training_file": self.file_id,
            "task": TASK.task,
            "recipe": {"preset": "debiased", "max_steps": steps, "eval_points": 2},
            "runs": {"num_seeds": seeds},
            "evaluation": {"metric": TASK.metric},
        }
        return self.client.create_job(body).id

    def run_job(self, *, seeds: int, steps: int) -> tuple[Job, Sequence[Run]]:
        """Run a job to its end; returns its rows, whose times are exact."""
        job_id = self.create_job(seeds=seeds, steps=steps)
        while True:
            with self.database.read() as session:
                job = session.get_one(Job, job_id)
                if job.status in ENDED_JOB_STATES:
                    query = select(Run).where(Run.job_id == job_id).order_by(Run.started_at)
                    runs = session.scalars(query).all()
                    break
            time.sleep(0.5)
        if job.status != JobState.SUCCEEDED:
            raise SystemExit(f"The job {job.status}: {job.error}")
        return job, runs


def main() -> None:
    """Measure both sides in turn and record the result."""
    plan = _parse_arguments()
    # SystemExit stops the service in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="evenkeel-overhead-") as temporary:
        result = _measure_sides(plan, Path(temporary))
    record_result(result)


def _measure_sides(plan: OverheadPlan, home: Path) -> Result:
    slots = count_cpu_cores()
    data = write_subset(get_glue_folder(), TASK, plan.rows, home / "data")
    (home / "service").mkdir()
    with (
        run_child_service(home / "service") as url,
        Client(url) as client,
        DirectRunner(slots) as direct,
    ):
        database = Database(f"sqlite:///{home / 'service' / 'evenkeel.db'}")
        service = Service(client, database, client.upload_file(data).id)
        service.run_job(seeds=slots, steps=2)  # starts the trainers and reads the files
        rounds = [
            _measure_round(service, direct, plan, data, home / "direct") for _ in range(plan.rounds)
        ]
        first_metrics = [list(_measure_first_metrics(service, slots)) for _ in range(plan.rounds)]
        database.dispose()
    return build_result(rounds, list(chain(*first_metrics)), plan, slots)


def _measure_round(
    service: Service, direct: DirectRunner, plan: OverheadPlan, data: Path, output: Path
) -> Round:
    job, runs = service.run_job(seeds=plan.seeds, steps=plan.steps)
    main_runs = [run for run in runs if run.purpose == Purpose.MAIN]
    specs = [build_run_spec(job, run.seed, data, output / run.id) for run in main_runs]
    baselines = build_data_spec(job, "ftrun-baselines", data)
    direct.run([baselines, *specs[: direct.processes]], steps=2)  # as warm as the service
    seconds, each = direct.run([baselines, *specs])
    job_end = job.finished_at or 0
    baseline_runs = [run for run in runs if run.purpose == Purpose.BASELINES]
    return Round(
        job=job_end - min(map(_get_start_time, runs)),
        baselines=sum(map(_get_duration, baseline_runs)),
        publishing=job_end - max(map(_get_finish_time, runs)),
        between=statistics.median(_iterate_gaps(runs)),
        run=statistics.median(map(_get_duration, main_runs)),
        direct=seconds,
        direct_run=statistics.median(each),
    )


def _get_start_time(run: Run) -> float:
    assert run.started_at is not None
    return run.started_at


def _get_finish_time(run: Run) -> float:
    assert run.finished_at is not None
    return run.finished_at


def _get_duration(run: Run) -> float:
    return _get_finish_time(run) - _get_start_time(run)


def _iterate_gaps(runs: Sequence[Run]) -> Iterator[float]:
    """Iterate over the seconds between consecutive runs of each slot."""
    by_slot = sorted(runs, key=lambda run: (run.worker or "", _get_start_time(run)))
    for _, slot_runs in groupby(by_slot, key=lambda run: run.worker):
        for before, after in pairwise(slot_runs):
            yield _get_start_time(after) - _get_finish_time(before)


def _measure_first_metrics(service: Service, slots: int) -> Iterator[float]:
    """Measure the seconds from each run's claim until the API returns its first training loss."""
    client = service.client
    job_id = service.create_job(seeds=slots, steps=20)
    seen: dict[str, float] = {}
    runs = client.list_runs(job_id)
    while len(seen) < len(runs):
        for run in runs:
            if run.id not in seen and client.list_run_metrics(job_id, run.id, "train_loss"):
                seen[run.id] = time.time()
        time.sleep(POLL_S)
    while client.get_job(job_id).status not in ENDED_JOB_STATES:
        time.sleep(0.5)
    with service.database.read() as session:
        for run_id, moment in seen.items():
            yield moment - _get_start_time(session.get_one(Run, run_id))


def _parse_arguments() -> OverheadPlan:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    quick = f"{QUICK_PLAN.seeds} runs of {QUICK_PLAN.steps} steps, one round"
    parser.add_argument("--quick", action="store_true", help=quick)
    for name, meaning in COUNTS.items():
        default = getattr(DEFAULT_PLAN, name)
        help_text = f"{meaning} (default {default})"
        parser.add_argument(f"--{name}", type=int, default=default, help=help_text)
    options = parser.parse_args()
    if options.quick:
        return replace(QUICK_PLAN, rows=options.rows)
    return OverheadPlan(options.seeds, options.steps, options.rows, options.rounds)


if __name__ == "__main__":
    os.umask(0o077)
    main()
