"""Compare twenty seeds of a job on one GPU with ``transformers.Trainer``:
``python -m benchmarks.train_gpu``.

BERT of base and of large size, with random weights, trains on made-up rows as long as those of
RTE cut at 128, batch 16, bfloat16. The benchmark measures steps of one seed per second: our
stack of 1, 5, 10 and 20 seeds, plain and with compiled blocks; one Trainer, which trains seeds
one after the other; and several Trainers at once in their own processes. Each side counts
``--steps`` steps after ``--warm-up``; no side evaluates or writes checkpoints. The result goes
to ``docs/results/speed/train_gpu.json`` and the page.

The benchmark needs no service and no data, only torch, transformers with accelerate, pydantic
and this repository. ``--device cpu --sizes tiny`` runs on any machine.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import torch

from benchmarks.gpu_contestants import (
    SideMeasurement,
    StepWindow,
    measure_concurrent_trainers,
    measure_matrix_rate,
    measure_stack,
    measure_trainer,
    run_child_trainer,
)
from benchmarks.gpu_workload import SIZES, EncoderSize, make_base_model, make_specs, write_rows
from benchmarks.results import Result, Table, print_result
from benchmarks.speed_page import record_result
from worker.training.model.transformers_logging import silence_transformers
from worker.training.spec import RunSpec

JOB_SEED_COUNT = 20
"""Seeds of the job whose step time is reported."""
GOAL_RATIO, GOAL_SHARE = 8.0, 0.35
"""Goals for the base size: speed relative to Trainer, and share of the matrix rate."""
COLUMNS = (
    "side",
    "ms a step",
    "steps of a seed a second",
    "times Trainer",
    "of the matrix rate",
    "peak memory, GB",
)


class SideFigures(TypedDict):
    """Figures of one side, as JSON."""

    side: str
    seeds: int
    seconds: float
    flops: float
    peak_bytes: int
    seed_steps: float
    times_trainer: float | None
    share_of_matrix_rate: float
    step_of_20_seeds: float


class SizeFigures(TypedDict):
    """Figures of one encoder size, as JSON."""

    size: str
    sides: list[SideFigures]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each size and record the result, or serve as one of several Trainers."""
    options = _parse_arguments(argv)
    window = StepWindow(options.warm_up, options.steps)
    with silence_transformers():
        if options.one_of_many:
            spec = options.one_of_many.read_text(encoding="utf-8")
            run_child_trainer(RunSpec.model_validate_json(spec), window)
            return
        rate = measure_matrix_rate(options.device, 256 if options.device == "cpu" else 8192)
        figures = [_measure_size(SIZES[name], options, window, rate) for name in options.sizes]
    result = _build_result(figures, rate, options)
    if options.no_record:
        print_result(result)
    else:
        record_result(result)


def _measure_size(
    size: EncoderSize, options: argparse.Namespace, window: StepWindow, rate: float
) -> SizeFigures:
    """Measure all sides at one size, except those for which the memory is too small."""
    with tempfile.TemporaryDirectory() as scratch:
        specs = _make_specs(size, Path(scratch), options)
        sides = [
            *_measure_trainers(specs[0], size, options, window, Path(scratch)),
            *_measure_stacks(specs, size, options, window),
        ]
    trainer_rate = sides[0].seed_steps_per_second if options.trainer else None
    return {
        "size": size.name,
        "sides": [_summarize_side(side, trainer_rate, rate) for side in sides],
    }


def _make_specs(size: EncoderSize, folder: Path, options: argparse.Namespace) -> list[RunSpec]:
    base, file = make_base_model(size, folder / "base"), write_rows(size, folder / "rows.tsv")
    output = folder / "output"
    output.mkdir()
    return make_specs(
        base, file, output, max(options.seeds), precision="bfloat16", device=options.device
    )


def _measure_trainers(
    spec: RunSpec,
    size: EncoderSize,
    options: argparse.Namespace,
    window: StepWindow,
    scratch: Path,
) -> Iterator[SideMeasurement]:
    if options.trainer:
        yield measure_trainer(spec, size, window)
        for processes in options.processes:
            yield measure_concurrent_trainers(spec, size, window, processes, scratch)


def _measure_stacks(
    specs: Sequence[RunSpec], size: EncoderSize, options: argparse.Namespace, window: StepWindow
) -> Iterator[SideMeasurement]:
    for compiled in (False, True) if options.compile else (False,):
        for count in options.seeds:
            if compiled and count == 1:
                continue  # a single run is never compiled
            try:
                yield measure_stack(specs[:count], size, window, compiled=compiled)
            except torch.OutOfMemoryError:
                print(f"{size.name}: too little memory for {count} seeds")  # noqa: T201


def _summarize_side(
    side: SideMeasurement, trainer_rate: float | None, matrix_rate: float
) -> SideFigures:
    rate = side.seed_steps_per_second
    return {
        "side": side.side,
        "seeds": side.seeds,
        "seconds": side.seconds,
        "flops": side.flops,
        "peak_bytes": side.peak_bytes,
        "seed_steps": rate,
        "times_trainer": None if trainer_rate is None else rate / trainer_rate,
        "share_of_matrix_rate": side.compute_rate_share(matrix_rate),
        "step_of_20_seeds": JOB_SEED_COUNT / rate,
    }


def _build_result(
    figures: Sequence[SizeFigures], rate: float, options: argparse.Namespace
) -> Result:
    return Result(
        name="train_gpu",
        title="Many seeds on one GPU",
        command="python -m benchmarks.train_gpu",
        text=[_format_text(rate, options)],
        tables=[_build_table(size_figures) for size_figures in figures],
        figures={
            "matrix_rate": rate,
            "warm_up": options.warm_up,
            "steps": options.steps,
            "sizes": list(figures),
        },
    )


def _format_text(rate: float, options: argparse.Namespace) -> str:
    return (
        "BERT with random weights on made-up rows as long as those of RTE, cut at 128 (66 tokens "
        f"on average), batch 16, bfloat16; {options.steps} steps after {options.warm_up}. Trainer "
        "pads each batch to its longest row, uses the fused AdamW and trains one seed after the "
        "other; a stack trains its seeds side by side. The share is the rate of floating-point "
        "operations on tokens, without padding, relative to a bfloat16 matrix product in the same "
        f"run, {rate / 1e12:.1f} TFLOP/s. Goals for the base size: {GOAL_RATIO:g} times "
        f"Trainer's speed and {GOAL_SHARE:.0%} of the matrix rate."
    )


def _build_table(figures: SizeFigures) -> Table:
    rows = [_format_row(side) for side in figures["sides"]]
    return Table(COLUMNS, rows, title=f"BERT {figures['size']}")


def _format_row(side: SideFigures) -> list[str]:
    return [
        side["side"],
        f"{1000 * side['seconds']:.1f}",
        f"{side['seed_steps']:.1f}",
        "" if side["times_trainer"] is None else f"{side['times_trainer']:.2f}",
        f"{side['share_of_matrix_rate']:.1%}",
        f"{side['peak_bytes'] / 1e9:.1f}" if side["peak_bytes"] else "unknown",
    ]


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["base", "large"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 5, 10, 20], help="side by side")
    parser.add_argument(
        "--processes", nargs="*", type=int, default=[4, 8], help="numbers of concurrent Trainers"
    )
    parser.add_argument("--warm-up", type=int, default=8, help="steps that do not count")
    parser.add_argument("--steps", type=int, default=40, help="counted steps")
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--compile", action=switch, default=True, help="measure compiled stacks")
    parser.add_argument("--trainer", action=switch, default=True, help="requires accelerate")
    parser.add_argument(
        "--no-record", action="store_true", help="print the table and write nothing"
    )
    parser.add_argument("--one-of-many", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
