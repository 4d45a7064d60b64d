"""Measure the memory of the service, and the estimates of it: ``python -m benchmarks.memory``.

- The whole stack (``evenkeel up``): the proportional set size of all its processes when
  fresh, at most during a job of two runs, and after the trainers have ended for want of work.
- The start of a trainer, from the command to its first message.
- Runs of three encoders, each in a trainer of its own: the largest resident set, beside the
  estimate by which the trainer decides whether to start the run.

``--part`` measures some of these; the page keeps the last result of the others.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.memory_cases import MemoryCase, build_encoder, build_specs, list_cases
from benchmarks.memory_page import PeakResult, StackResult, StartResult, record_results
from benchmarks.trainer_commands import SpecValues
from cli.client import Client
from cli.demo import run_child_service
from shared.domain.states import ENDED_JOB_STATES, JobState
from shared.infra.settings import Settings
from worker.trainer.process import Trainer
from worker.trainer.protocol import (
    RunCommand,
    RunFailed,
    SpecPayload,
    StackCommand,
    TrainerReady,
    WorkCommand,
    is_last_message,
)
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.memory_gate import estimate_run_peak
from worker.training.spec import RunSpec

PARTS = ("stack", "start", "peaks")
SEEDS = 2
IDLE_S = 15.0
"""After which the trainers of the measured stack end; also the wait before a stack is idle."""
STARTS = 5


def main() -> None:
    """Measure the parts that were asked for, and record each as soon as it is known."""
    options = _parse_arguments()
    with tempfile.TemporaryDirectory(prefix="evenkeel-memory-") as temporary:
        home = Path(temporary)
        if "stack" in options.part:
            record_results(stack=_measure_stack(home / "stack"))
        if "start" in options.part:
            record_results(start=_measure_starts(home / "start"))
        if "peaks" in options.part:
            for number, case in enumerate(list_cases()):
                record_results(peak=_measure_peak(case, home, str(number)))


def _measure_stack(home: Path) -> StackResult:
    home.mkdir()
    settings = {"EVENKEEL_TRAINER_IDLE_SECONDS": str(IDLE_S)}
    with run_child_service(home, settings) as url, Client(url) as client:
        time.sleep(IDLE_S)
        fresh = _sum_stack_bytes()
        case = MemoryCase("all-MiniLM-L6-v2", 16, 64)
        build_specs(case, home, home / "data")
        began = time.monotonic()
        job_id = _create_job(client, home / "data" / "rows.tsv")
        training = 0
        while (job := client.get_job(job_id)).status not in ENDED_JOB_STATES:
            training = max(training, _sum_stack_bytes())
            time.sleep(1.0)
        if job.status != JobState.SUCCEEDED:
            raise SystemExit(f"The job {job.status}: {job.error}")
        job_seconds = time.monotonic() - began
        with_trainers = _sum_stack_bytes()
        time.sleep(2 * IDLE_S)
        return StackResult(fresh, training, with_trainers, _sum_stack_bytes(), job_seconds)


def _create_job(client: Client, data: Path) -> str:
    body = {
        "training_file": client.upload_file(data).id,
        "recipe": {"preset": "debiased", "max_steps": 20, "train_batch_size": 16},
        "runs": {"num_seeds": SEEDS},
    }
    return client.create_job(body).id


def _sum_stack_bytes() -> int:
    """Add up the proportional set sizes of the processes below this one."""
    return sum(_read_pss(pid) for pid in _iterate_descendants(os.getpid()))


def _iterate_descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield child
            yield from _iterate_descendants(child)


def _read_pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _measure_starts(home: Path) -> StartResult:
    """Measure from the first command of a process until the trainer reads it."""
    case = list_cases()[0]
    specs = build_specs(case, build_encoder(case.encoder, home), home / "specs")
    seconds = []
    for _ in range(STARTS):
        trainer = Trainer(Settings(home=home))
        began = time.monotonic()
        trainer.submit_command(_build_command(specs))
        while not isinstance(trainer.receive_message(60.0), TrainerReady):
            pass
        seconds.append(time.monotonic() - began)
        trainer.kill()
    return StartResult(statistics.median(seconds), seconds, os.getloadavg()[0])


def _measure_peak(case: MemoryCase, home: Path, name: str) -> PeakResult:
    specs = build_specs(case, build_encoder(case.encoder, home / "encoders"), home / name)
    first = RunSpec.model_validate(specs[0])
    splits = load_splits(first, TextCache(), lambda: None)
    estimate = estimate_run_peak(first, splits, stacked=case.stacked)
    trainer = Trainer(Settings(home=home / f"{name}-home"))
    try:
        trainer.submit_command(_build_command(specs))
        pid, open_runs = trainer.pid, len(specs)
        while open_runs:
            message = trainer.receive_message(60.0)
            if isinstance(message, RunFailed):
                raise SystemExit(f"{case}: {message.failed.message}")
            if message is not None and not isinstance(message, TrainerReady):
                open_runs -= is_last_message(message)
        return PeakResult(
            encoder=case.encoder,
            batch_size=case.batch_size,
            tokens=case.tokens,
            options=case.describe_options(),
            estimate=estimate,
            seen=_read_status_bytes(pid, "VmHWM"),
            after=_read_resident_after_rest(pid),
        )
    finally:
        trainer.kill()


def _read_resident_after_rest(pid: int | None) -> int:
    time.sleep(5.0)  # a trainer without a command gives memory back after a moment
    return _read_status_bytes(pid, "VmRSS")


def _read_status_bytes(pid: int | None, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _build_command(specs: Sequence[SpecValues]) -> WorkCommand:
    payloads = [SpecPayload.model_validate(spec) for spec in specs]
    return RunCommand(run=payloads[0]) if len(specs) == 1 else StackCommand(stack=payloads)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS, help="default: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
