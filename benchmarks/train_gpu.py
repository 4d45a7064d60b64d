"""Twenty seeds of a job on one GPU against ``transformers.Trainer``: ``python -m
benchmarks.train_gpu``.

BERT of base and of large size, of random weights made on the spot, on made-up rows with the
lengths of RTE cut at 128, batch 16, bfloat16. Measured are steps of a seed a second: our stack
of 1, 5, 10 and 20 seeds, plain and with its blocks compiled; one Trainer, which trains seeds
one after the other; and several Trainers at once in processes of their own. Every side counts
``--steps`` steps after ``--warm-up``; evaluations and checkpoints are on no side. Writes
``docs/results/speed/train_gpu.json`` and the page.

It needs no service and no data: torch, transformers with accelerate, pydantic and this
repository. ``--device cpu --sizes tiny`` shows on any machine that it runs.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
"""Of the job whose cost is told."""
GOAL_RATIO, GOAL_SHARE = 8.0, 0.35
"""For a base-size model: how many times Trainer's speed, and what share of the measured matrix
rate.
"""


def main(argv: Sequence[str] | None = None) -> None:
    options = _parse_arguments(argv)
    window = StepWindow(options.warm_up, options.steps)
    with silence_transformers():
        if options.one_of_many:
            run_child_trainer(
                RunSpec.model_validate_json(options.one_of_many.read_text(encoding="utf-8")), window
            )
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
) -> dict[str, Any]:
    """What was measured of one size, for programs; a side that memory does not suffice for is
    left out.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base, file = make_base_model(size, folder / "base"), write_rows(size, folder / "rows.tsv")
        output = folder / "output"
        output.mkdir()
        specs = make_specs(
            base, file, output, max(options.seeds), precision="bfloat16", device=options.device
        )
        sides = list(_measure_sides(specs, size, options, window, folder))
    trainers = next((side for side in sides if side.side == "Trainer"), None)
    found = [
        asdict(side)
        | {
            "seed_steps": side.seed_steps_per_second,
            "times_trainer": None
            if trainers is None
            else side.seed_steps_per_second / trainers.seed_steps_per_second,
            "share_of_matrix_rate": side.compute_rate_share(rate),
            "step_of_20_seeds": JOB_SEED_COUNT / side.seed_steps_per_second,
        }
        for side in sides
    ]
    return {"size": size.name, "sides": found}


def _measure_sides(
    specs: Sequence[RunSpec],
    size: EncoderSize,
    options: argparse.Namespace,
    window: StepWindow,
    scratch: Path,
) -> Iterator[SideMeasurement]:
    if options.trainer:
        yield measure_trainer(specs[0], size, window)
    for processes in options.processes if options.trainer else ():
        yield measure_concurrent_trainers(specs[0], size, window, processes, scratch)
    for compiled in (False, True) if options.compile else (False,):
        for count in options.seeds:
            if compiled and count == 1:
                continue  # a run by itself is trained by the loop of single runs
            try:
                yield measure_stack(specs[:count], size, window, compiled=compiled)
            except torch.OutOfMemoryError:
                print(f"{size.name}: no memory for {count} seeds")  # noqa: T201


def _build_result(
    figures: Sequence[dict[str, Any]], rate: float, options: argparse.Namespace
) -> Result:
    return Result(
        name="train_gpu",
        title="Many seeds on one GPU",
        command="python -m benchmarks.train_gpu",
        text=[
            "BERT of random weights on made-up rows with the lengths of RTE cut at 128 (66 "
            "tokens on average), batch 16, bfloat16; "
            f"{options.steps} steps after {options.warm_up}. Trainer pads each batch to "
            "its longest row, has the fused AdamW and "
            "trains seeds one after the other; a stack trains them side by side. The share "
            "is of the floating-point operations of "
            "real tokens over the rate of a bfloat16 matrix product measured in the same "
            f"run, {rate / 1e12:.1f} TFLOP/s. "
            f"Wanted for the base size: {GOAL_RATIO:g} times Trainer, {GOAL_SHARE:.0%} of "
            "the matrix rate."
        ],
        tables=[_build_table(found) for found in figures],
        figures={
            "matrix_rate": rate,
            "warm_up": options.warm_up,
            "steps": options.steps,
            "sizes": list(figures),
        },
    )


def _build_table(figures: dict[str, Any]) -> Table:
    columns = (
        "side",
        "ms a step",
        "steps of a seed a second",
        "times Trainer",
        "of the matrix rate",
        "peak memory, GB",
    )
    rows = [
        (
            side["side"],
            f"{1000 * side['seconds']:.1f}",
            f"{side['seed_steps']:.1f}",
            "" if side["times_trainer"] is None else f"{side['times_trainer']:.2f}",
            f"{side['share_of_matrix_rate']:.1%}",
            f"{side['peak_bytes'] / 1e9:.1f}" if side["peak_bytes"] else "not seen",
        )
        for side in figures["sides"]
    ]
    return Table(columns, rows, title=f"BERT {figures['size']}")


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train_gpu", description="Seeds side by side on one GPU."
    )
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["base", "large"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 5, 10, 20], help="side by side")
    parser.add_argument(
        "--processes", nargs="*", type=int, default=[4, 8], help="with a Trainer each, at once"
    )
    parser.add_argument("--warm-up", type=int, default=8)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--trainer",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="which needs accelerate",
    )
    parser.add_argument(
        "--no-record", action="store_true", help="print the table and write nothing"
    )
    parser.add_argument("--one-of-many", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
