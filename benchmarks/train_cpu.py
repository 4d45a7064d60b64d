"""Compare a training step on a CPU with ``transformers.Trainer``:
``EVENKEEL_GLUE_DIR=… python -m benchmarks.train_cpu``.

Both sides train the real encoder on the same rows of a GLUE task, in the same order and
batches, on the same threads, in float32 and in bfloat16. They take turns in one process, round
by round; the first steps of each round do not count. Then both train 50 steps from the same
weights without dropout, and their losses are compared. The result goes to
``docs/results/speed/train_cpu.json`` and the page. ``--profile`` prints where the time of our
steps goes; with it, or with ``--no-record``, no file is written.
"""

import argparse
import tempfile
from itertools import chain, product
from pathlib import Path
from statistics import fmean, median

import torch

from benchmarks.glue import TASKS, GlueTask, get_glue_folder
from benchmarks.results import print_result
from benchmarks.speed_page import record_result
from benchmarks.step_times import (
    StepTimePlan,
    TaskBench,
    Times,
    find_largest_loss_difference,
    measure_times,
    profile_steps,
)
from benchmarks.train_cpu_result import Ratio, TaskFigures, build_result
from shared.datasets import read_table, resolve_task
from shared.domain.task import TaskRequest
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.recipe import Precision
from worker.training.data.tokenization import UNLIMITED_ROWS, TextCache
from worker.training.model.transformers_logging import silence_transformers

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
GOAL_RATIOS = {
    ("RTE", "float32", "float32"): 1.9,
    ("RTE", "bfloat16", "float32"): 3.5,
    ("RTE", "bfloat16", "bfloat16"): 1.8,
    ("CoLA", "float32", "float32"): 1.6,
    ("CoLA", "bfloat16", "float32"): 3.0,
}
"""Wanted ratio of Trainer's step time to ours on two cores with AVX512-BF16, by task, our
precision and Trainer's precision.
"""
COUNTS = (
    ("--batch-size", 16, "rows of a batch"),
    ("--threads", 2, "threads of either side"),
    ("--rounds", 6, "rounds in which the sides take turns"),
    ("--steps", 20, "counted steps of a round"),
    ("--warm-up", 3, "steps at the start of a round that do not count"),
    ("--equal-steps", 50, "steps over which the losses are compared; 0 for none"),
)


def main() -> None:
    """Measure each task and record the result, or profile our steps."""
    options = _parse_arguments()
    torch.set_num_threads(options.threads)
    plan = _create_plan(options)
    with tempfile.TemporaryDirectory() as scratch, silence_transformers():
        benches = [_create_bench(plan, TASKS[name], Path(scratch)) for name in options.tasks]
        if options.profile:
            for bench, precision in product(benches, plan.precisions):
                print(profile_steps(bench, precision))  # noqa: T201
            return
        result = build_result(plan, [_measure_task(bench) for bench in benches])
    if options.no_record:
        print_result(result)
    else:
        record_result(result)


def _create_plan(options: argparse.Namespace) -> StepTimePlan:
    return StepTimePlan(
        precisions=tuple(options.precisions),
        batch_size=options.batch_size,
        threads=options.threads,
        rounds=options.rounds,
        steps=options.steps,
        warm_up=options.warm_up,
        equal_steps=options.equal_steps,
        base_model=Catalogue().get_folder(OFFLINE_ENCODER),
    )


def _create_bench(plan: StepTimePlan, task: GlueTask, scratch: Path) -> TaskBench:
    file = get_glue_folder() / task.name / "train.tsv"
    table = read_table(file, file.name, header=task.header, limits=UNLIMITED_ROWS)
    facts = Catalogue().get_facts(OFFLINE_ENCODER)
    request = TaskRequest(**task.task)
    resolved = resolve_task(
        request, table, max_positions=facts.max_position_embeddings, needs_validation_split=False
    )
    return TaskBench(plan, task, resolved, scratch, TextCache())


def _measure_task(bench: TaskBench) -> TaskFigures:
    times, name, precisions = measure_times(bench), bench.task.name, bench.plan.precisions
    milliseconds = {
        side: {precision: median(chain(*rounds)) for precision, rounds in by_precision.items()}
        for side, by_precision in times.items()
    }
    ratios = [
        _compute_ratio(name, times, our, their)
        for our, their in product(precisions, precisions)
        if (our, their) != ("float32", "bfloat16")
    ]
    equal_steps = bench.plan.equal_steps
    difference = find_largest_loss_difference(bench) if equal_steps else None
    return {
        "task": name,
        "tokens_a_row": fmean(bench.count_row_tokens()),
        "milliseconds": milliseconds,
        "ratios": ratios,
        "times": times,
        "equal_steps": equal_steps,
        "largest_difference_of_losses": difference,
    }


def _compute_ratio(task: str, times: Times, our: Precision, their: Precision) -> Ratio:
    """Compute Trainer's median over ours, of all counted steps and of each round."""
    ours, theirs = times["evenkeel"][our], times["trainer"][their]
    rounds = [
        median(their_round) / median(our_round)
        for our_round, their_round in zip(ours, theirs, strict=True)
    ]
    return {
        "ours": our,
        "trainers": their,
        "ratio": median(chain(*theirs)) / median(chain(*ours)),
        "smallest_of_a_round": min(rounds),
        "largest_of_a_round": max(rounds),
        "wanted": GOAL_RATIOS.get((task, our, their)),
    }


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=["CoLA", "RTE"], default=["RTE", "CoLA"])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    for name, default, meaning in COUNTS:
        help_text = f"{meaning} (default {default})"
        parser.add_argument(name, type=int, default=default, help=help_text)
    parser.add_argument(
        "--profile", action="store_true", help="print the operators of our steps instead"
    )
    parser.add_argument(
        "--no-record", action="store_true", help="print the table and write nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
