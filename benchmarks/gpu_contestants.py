"""The sides of the GPU benchmark: our stacked seeds, one ``transformers.Trainer``, and several
Trainers at once on one GPU.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from benchmarks.gpu_workload import EncoderSize
from benchmarks.reference import TrainerReference
from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.data.tokenizer import load_tokenizer
from worker.training.events import Step
from worker.training.multi_seed.run import train_runs
from worker.training.network_setup import build_network
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


@dataclass(frozen=True)
class SideMeasurement:
    """The measurement of one side."""

    side: str
    seeds: int
    """Seeds that advance by one step in ``seconds``."""
    seconds: float
    flops: float
    """Floating-point operations of one step of all seeds, without padding."""
    peak_bytes: int
    """Peak GPU memory; 0 where it is unknown."""

    @property
    def seed_steps_per_second(self) -> float:
        """Steps per second, summed over the seeds."""
        return self.seeds / self.seconds

    def compute_rate_share(self, rate: float) -> float:
        """Compute the share of a rate of floating-point operations per second."""
        return self.flops / self.seconds / rate


@dataclass(frozen=True)
class StepWindow:
    """The counted steps, and the warm-up steps before them."""

    warm_up: int
    steps: int

    @property
    def last(self) -> int:
        """The number of the last counted step."""
        return self.warm_up + self.steps


def measure_stack(
    specs: Sequence[RunSpec], size: EncoderSize, window: StepWindow, *, compiled: bool = False
) -> SideMeasurement:
    """Train the specs side by side, as the trainer process does; a single spec is trained like a
    single run.
    """
    _reset_peak_memory()
    cache = TextCache()
    seconds = _time_stack_step(specs, window, cache, compiled=compiled)
    name = f"Evenkeel, {len(specs)} seed{'s' if len(specs) > 1 else ''}" + (
        ", compiled" if compiled else ""
    )
    flops = sum(_count_step_flops(spec, size, window, cache) for spec in specs)
    return SideMeasurement(name, len(specs), seconds, flops, _get_peak_memory())


def _time_stack_step(
    specs: Sequence[RunSpec], window: StepWindow, cache: TextCache, *, compiled: bool
) -> float:
    """Return the mean seconds of the window's steps."""
    ends: dict[int, float] = {}
    for run_id, event in train_runs(
        specs, lambda _: False, cache, stack_size=len(specs), compiled=compiled
    ):
        if isinstance(event, Exception):
            raise event
        if isinstance(event, Step) and run_id == specs[-1].run_id:  # the last event of a step
            ends[event.step] = time.perf_counter()
            if event.step == window.last:
                break
    return (ends[window.last] - ends[window.warm_up]) / window.steps


def measure_trainer(spec: RunSpec, size: EncoderSize, window: StepWindow) -> SideMeasurement:
    """Measure one Trainer in this process."""
    _reset_peak_memory()
    cache = TextCache()
    seconds = _time_trainer_step(spec, window, cache)
    flops = _count_step_flops(spec, size, window, cache)
    return SideMeasurement("Trainer", 1, seconds, flops, _get_peak_memory())


def run_child_trainer(spec: RunSpec, window: StepWindow) -> None:
    """Serve ``measure_concurrent_trainers`` in a child process.

    Prints that it is ready, waits for a line, trains, and prints the seconds of its steps.
    """
    reference, batches = _prepare_reference(spec, window, TextCache())
    reference.train(batches[: window.warm_up])
    _write_line("ready")
    sys.stdin.readline()
    _write_line(str(_time_steps(reference, batches[window.warm_up :])))


def measure_concurrent_trainers(
    spec: RunSpec, size: EncoderSize, window: StepWindow, processes: int, scratch: Path
) -> SideMeasurement:
    """Measure several processes that train at the same time, each with one Trainer.

    Their memory cannot be measured from this process.
    """
    children = _start_children(spec, window, processes, scratch)
    try:
        slowest = max(_run_children(children))
    finally:
        for child in children:
            child.kill()
            child.communicate()
    name, seconds = f"Trainer, {processes} processes", slowest / window.steps
    flops = _count_step_flops(spec, size, window, TextCache())
    return SideMeasurement(name, processes, seconds, flops * processes, 0)


def _start_children(
    spec: RunSpec, window: StepWindow, processes: int, scratch: Path
) -> list["subprocess.Popen[str]"]:
    path = scratch / "spec.json"
    path.write_text(spec.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.train_gpu", "--one-of-many", str(path)]
    command += ["--warm-up", str(window.warm_up), "--steps", str(window.steps)]
    return [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]


def _run_children(children: Sequence["subprocess.Popen[str]"]) -> list[float]:
    """Let all children train at the same time; returns the seconds that each reports."""
    for child in children:
        _read_line(child)  # ready
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return [float(_read_line(child)) for child in children]


def measure_matrix_rate(device: str, width: int, rounds: int = 10) -> float:
    """Measure the FLOP/s of bfloat16 products of random matrices, the best of ``rounds``."""
    left, right = (torch.randn(width, width, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(rounds):
        _synchronize_gpu()
        began = time.perf_counter()
        for _ in range(5):
            left @ right
        _synchronize_gpu()
        best = min(best, (time.perf_counter() - began) / 5)
    return 2.0 * width**3 / best


def _time_trainer_step(spec: RunSpec, window: StepWindow, cache: TextCache) -> float:
    reference, batches = _prepare_reference(spec, window, cache)
    reference.train(batches[: window.warm_up])
    return _time_steps(reference, batches[window.warm_up :]) / window.steps


def _time_steps(reference: TrainerReference, batches: list[list[int]]) -> float:
    """Return the seconds of these steps and of the GPU's remaining work after them.

    The construction of the Trainer does not count.
    """
    _synchronize_gpu()
    seconds, _ = reference.train(batches)
    began = time.perf_counter()
    _synchronize_gpu()
    return sum(seconds) + time.perf_counter() - began


def _prepare_reference(
    spec: RunSpec, window: StepWindow, cache: TextCache
) -> tuple[TrainerReference, list[list[int]]]:
    splits = load_splits(spec, cache, lambda: None)
    make_deterministic(spec.threads, spec.device)
    batches = iterate_shuffled_batches(
        splits.train.rows, spec.recipe.train_batch_size, spec.data_seed
    )
    reference = TrainerReference(
        build_network(spec, splits),
        load_tokenizer(spec.base_model),
        splits.train,
        spec.recipe,
        spec.output,
        cpu=spec.device == "cpu",
    )
    return reference, list(islice(batches, window.last))


def _count_step_flops(
    spec: RunSpec, size: EncoderSize, window: StepWindow, cache: TextCache
) -> float:
    """Count the floating-point operations of the window's mean step."""
    train = load_splits(spec, cache, lambda: None).train
    batches = iterate_shuffled_batches(train.rows, spec.recipe.train_batch_size, spec.data_seed)
    flops = sum(
        size.count_row_flops(tokens)
        for rows in islice(batches, window.warm_up, window.last)
        for tokens in train.text.list_lengths(rows)
    )
    return flops / window.steps


def _read_line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"A Trainer process ended with code {child.wait()} before its result.")
    return line


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _synchronize_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _reset_peak_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _get_peak_memory() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
