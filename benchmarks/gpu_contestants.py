"""The sides of the GPU benchmark: our stacked seeds, ``transformers.Trainer`` by itself, and
several Trainers at once on one GPU.
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
    side: str
    seeds: int
    """Advanced by a step in each step's time."""
    seconds: float
    """A step."""
    flops: float
    """Of a step of all these seeds: real tokens alone."""
    peak_bytes: int

    @property
    def seed_steps_per_second(self) -> float:
        """Steps of one seed a second."""
        return self.seeds / self.seconds

    def compute_rate_share(self, rate: float) -> float:
        """Of a rate of floating-point operations a second."""
        return self.flops / self.seconds / rate


@dataclass(frozen=True)
class StepWindow:
    """Steps that are counted, after those that warm up."""

    warm_up: int
    steps: int


def measure_stack(
    specs: Sequence[RunSpec], size: EncoderSize, window: StepWindow, *, compiled: bool = False
) -> SideMeasurement:
    """The specs side by side, through what the trainer process calls; one spec alone is trained
    as a single run is.
    """
    _reset_peak_memory()
    cache, first, last = TextCache(), window.warm_up, window.warm_up + window.steps
    at: dict[int, float] = {}
    for run_id, event in train_runs(
        specs, lambda _: False, cache, stack_size=len(specs), compiled=compiled
    ):
        if isinstance(event, Exception):
            raise event
        if isinstance(event, Step) and run_id == specs[-1].run_id:  # told last of a step
            at[event.step] = time.perf_counter()
            if event.step == last:
                break
    name = f"Evenkeel, {len(specs)} seed{'s' if len(specs) > 1 else ''}" + (
        ", compiled" if compiled else ""
    )
    flops = sum(_count_flops(spec, size, cache, first, last) for spec in specs) / window.steps
    return SideMeasurement(
        name, len(specs), (at[last] - at[first]) / window.steps, flops, _get_peak_memory()
    )


def measure_trainer(spec: RunSpec, size: EncoderSize, window: StepWindow) -> SideMeasurement:
    """One Trainer in this process."""
    _reset_peak_memory()
    cache = TextCache()
    seconds = _measure_trainer_step(spec, window, cache)
    flops = (
        _count_flops(spec, size, cache, window.warm_up, window.warm_up + window.steps)
        / window.steps
    )
    return SideMeasurement("Trainer", 1, seconds, flops, _get_peak_memory())


def run_child_trainer(spec: RunSpec, window: StepWindow) -> None:
    """A child of ``measure_concurrent_trainers``: says when it is ready, waits for a line,
    trains, says how long a step took.
    """
    reference, batches = _prepare_reference(spec, window, TextCache())
    reference.train(batches[: window.warm_up])
    _write_line("ready")
    sys.stdin.readline()
    _write_line(str(_time_steps(reference, batches[window.warm_up :])))


def measure_concurrent_trainers(
    spec: RunSpec, size: EncoderSize, window: StepWindow, processes: int, scratch: Path
) -> SideMeasurement:
    """So many processes with a Trainer each, all training over the same time. Their memory is
    not this process's to see.
    """
    written = scratch / "spec.json"
    written.write_text(spec.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.train_gpu", "--one-of-many", str(written)]
    command += ["--warm-up", str(window.warm_up), "--steps", str(window.steps)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for child in children:
            _read_line(child)
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        slowest = max(float(_read_line(child)) for child in children)
    finally:
        for child in children:
            child.kill()
            child.communicate()
    flops = (
        _count_flops(spec, size, TextCache(), window.warm_up, window.warm_up + window.steps)
        / window.steps
    )
    return SideMeasurement(
        f"Trainer, {processes} processes", processes, slowest / window.steps, flops * processes, 0
    )


def measure_matrix_rate(device: str, width: int, rounds: int = 10) -> float:
    """FLOP/s of the best of a few bfloat16 matrix products of random numbers."""
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


def _measure_trainer_step(spec: RunSpec, window: StepWindow, cache: TextCache) -> float:
    reference, batches = _prepare_reference(spec, window, cache)
    reference.train(batches[: window.warm_up])
    return _time_steps(reference, batches[window.warm_up :]) / window.steps


def _time_steps(reference: TrainerReference, batches: list[list[int]]) -> float:
    """Seconds of these steps, and of what the device still has to do after them; making the
    Trainer is not counted.
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
    return reference, list(islice(batches, window.warm_up + window.steps))


def _count_flops(
    spec: RunSpec, size: EncoderSize, cache: TextCache, first: int, last: int
) -> float:
    """Of the steps after ``first`` up to ``last``."""
    train = load_splits(spec, cache, lambda: None).train
    batches = iterate_shuffled_batches(train.rows, spec.recipe.train_batch_size, spec.data_seed)
    return sum(
        size.count_row_flops(tokens)
        for rows in islice(batches, first, last)
        for tokens in train.text.list_lengths(rows)
    )


def _read_line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"a Trainer's process ended with {child.wait()}")
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
