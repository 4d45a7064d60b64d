"""What trainers do to the database and to the cores while ``benchmarks.polling`` measures."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.trainer_commands import build_run_spec
from shared.db.metrics import Point
from shared.db.runs import Lease, Runs
from shared.db.session import Database
from shared.db.tables import Job
from shared.domain.states import RunState
from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    make_parent_death_hook,
)

STEPS = 300
ENDED_RUNS, TRAINING_RUNS = 12, 2
FLUSH_S, LEASE_S = 0.5, 3600.0
SERIES = ("train_loss", "learning_rate", "grad_norm")


@contextmanager
def simulate_training(database: Database, job_id: str) -> Iterator[None]:
    """End some of the job's runs, and record steps of others while the block runs."""
    leases = _start_runs(database, job_id)
    stop = threading.Event()
    thread = threading.Thread(
        target=_record_steps, args=(database, leases, stop), name="simulated training"
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _start_runs(database: Database, job_id: str) -> list[Lease]:
    """Train the first runs half-way, and finish all of them but the last ``TRAINING_RUNS``.

    Returns the leases of the runs that are still in training.
    """
    leases = []
    with database.write() as session:
        runs = Runs(session)
        runs.start_job(runs.list_ids_by_job(job_id)[0])
        for run in runs.list_by_job(job_id)[: ENDED_RUNS + TRAINING_RUNS]:
            lease = runs.claim_next("elsewhere", LEASE_S, preferred_run_id=run.id)
            assert lease is not None
            half = STEPS // 2
            points = _build_points(1, half)
            runs.record_progress(lease, LEASE_S, points, step=half, train_loss=0.5)
            leases.append(lease)
        for index, lease in enumerate(leases[:ENDED_RUNS]):
            _finish_run(runs, lease, 0.7 + index / 100)
    return leases[ENDED_RUNS:]


def _finish_run(runs: Runs, lease: Lease, score: float) -> None:
    runs.finish_run(lease, RunState.SUCCEEDED, step=STEPS, validation_score=score, degenerate=False)


def _record_steps(database: Database, leases: Sequence[Lease], stop: threading.Event) -> None:
    step = STEPS // 2
    while not stop.wait(FLUSH_S):
        step += 1
        for lease in leases:
            points = _build_points(step, step)
            with database.write() as session:
                Runs(session).record_progress(
                    lease, LEASE_S, points, step=step, train_loss=1 / step
                )


def _build_points(first: int, last: int) -> list[Point]:
    return [Point(name, step, 1 / step) for step in range(first, last + 1) for name in SERIES]


@contextmanager
def run_trainers(job: Job, data: Path, folder: Path, count: int) -> Iterator[None]:
    """Run niced trainer processes of one thread on the job's data while the block runs."""
    with ExitStack() as running:
        trainers = [running.enter_context(_run_trainer()) for _ in range(count)]
        for seed, trainer in enumerate(trainers):
            spec = build_run_spec(job, seed, data, folder / f"run-{seed}", max_steps=1_000_000)
            assert trainer.stdin is not None
            trainer.stdin.write(json.dumps({"run": spec}).encode() + b"\n")
            trainer.stdin.flush()
        for trainer in trainers:
            _wait_for_first_step(trainer)
        yield


@contextmanager
def _run_trainer() -> Iterator["subprocess.Popen[bytes]"]:
    own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    trainer = subprocess.Popen(
        build_module_command("worker.trainer"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | build_module_environment() | own,
        preexec_fn=make_parent_death_hook(),
    )
    try:
        yield trainer
    finally:
        trainer.kill()
        trainer.wait()


def _wait_for_first_step(trainer: "subprocess.Popen[bytes]") -> None:
    """Wait until the trainer reports a step; its further output is read and dropped."""
    assert trainer.stdout is not None
    while b'"step"' not in trainer.stdout.readline():
        continue
    threading.Thread(target=trainer.stdout.read, daemon=True).start()
