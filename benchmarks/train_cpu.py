"""A training step on a CPU against ``transformers.Trainer``: ``EVENKEEL_GLUE_DIR=… python -m
benchmarks.train_cpu``.

Both sides train the real encoder on the same rows of a GLUE task, in the same order and
batches, on the same threads, in float32 and in bfloat16. They are measured in turn, round by
round, in one process; the first steps of each round are not counted. Then both train 50 steps
from the same weights without dropout, and their losses are compared. Writes
``docs/results/speed/train_cpu.json`` and the page. ``--profile`` prints where the time of our
steps goes, and writes nothing; nor does a run with ``--no-record``.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch

from benchmarks.glue import FOLDER_VARIABLE, TASKS, GlueTask, get_glue_folder
from benchmarks.results import Result, Table, print_result
from benchmarks.speed_page import record_result
from benchmarks.step_times import (
    StepTimePlan,
    TaskBench,
    Times,
    find_largest_loss_difference,
    measure_times,
    profile_steps,
)
from shared.datasets import read_table, resolve_task
from shared.domain.task import TaskRequest
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.recipe import Precision
from worker.training.data.tokenization import UNLIMITED_ROWS, TextCache
from worker.training.model.transformers_logging import silence_transformers

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
LOSS_TOLERANCE = 1e-4
"""Largest difference of a step's loss in float32 that is equal."""
GOAL_RATIOS = {
    ("RTE", "float32", "float32"): 1.9,
    ("RTE", "bfloat16", "float32"): 3.5,
    ("RTE", "bfloat16", "bfloat16"): 1.8,
    ("CoLA", "float32", "float32"): 1.6,
    ("CoLA", "bfloat16", "float32"): 3.0,
}
"""How many times a step of Trainer's an own one should be, by task, our precision and
Trainer's, on two cores with AVX512-BF16.
"""


def main() -> None:
    given = _parse_arguments()
    torch.set_num_threads(given.threads)
    plan = StepTimePlan(
        precisions=tuple(given.precisions),
        batch_size=given.batch_size,
        threads=given.threads,
        rounds=given.rounds,
        steps=given.steps,
        warm_up=given.warm_up,
        equal_steps=given.equal_steps,
        base_model=Catalogue().get_folder(OFFLINE_ENCODER),
    )
    with tempfile.TemporaryDirectory() as scratch, silence_transformers():
        benches = [_create_bench(plan, TASKS[name], Path(scratch)) for name in given.tasks]
        if given.profile:
            for bench in benches:
                for precision in plan.precisions:
                    print(profile_steps(bench, precision))  # noqa: T201
            return
        result = _build_result(plan, [_measure_task(bench) for bench in benches])
    if given.no_record:
        print_result(result)
    else:
        record_result(result)


def _create_bench(plan: StepTimePlan, task: GlueTask, scratch: Path) -> TaskBench:
    file = get_glue_folder() / task.name / "train.tsv"
    table = read_table(file, file.name, header=task.header, limits=UNLIMITED_ROWS)
    facts = Catalogue().get_facts(OFFLINE_ENCODER)
    asked = TaskRequest(**task.task)
    resolved = resolve_task(
        asked, table, max_positions=facts.max_position_embeddings, needs_validation_split=False
    )
    return TaskBench(plan, task, resolved, scratch, TextCache())


def _measure_task(bench: TaskBench) -> dict[str, Any]:
    """What was measured of one task, for programs."""
    times = measure_times(bench)
    return {
        "task": bench.task.name,
        "tokens_a_row": fmean(bench.count_row_tokens()),
        "milliseconds": {
            side: {precision: median(chain(*rounds)) for precision, rounds in by_precision.items()}
            for side, by_precision in times.items()
        },
        "ratios": [
            _compute_ratio(bench.task.name, times, our, their)
            for our in bench.plan.precisions
            for their in bench.plan.precisions
            if (our, their) != ("float32", "bfloat16")
        ],
        "times": times,
        "equal_steps": bench.plan.equal_steps,
        "largest_difference_of_losses": find_largest_loss_difference(bench)
        if bench.plan.equal_steps
        else None,
    }


def _compute_ratio(task: str, times: Times, our: Precision, their: Precision) -> dict[str, Any]:
    """Trainer's median over ours; that of all counted steps, and those of the single rounds."""
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


def _build_result(plan: StepTimePlan, tasks: Sequence[dict[str, Any]]) -> Result:
    command = (
        f"{FOLDER_VARIABLE}=… python -m benchmarks.train_cpu --tasks "
        f"{' '.join(task['task'] for task in tasks)} "
        f"--precisions {' '.join(plan.precisions)} --batch-size {plan.batch_size} "
        f"--threads {plan.threads} "
        f"--rounds {plan.rounds} --steps {plan.steps} --warm-up {plan.warm_up} "
        f"--equal-steps {plan.equal_steps}"
    )
    text = (
        f"One training step of {OFFLINE_ENCODER} at batch size {plan.batch_size} on "
        f"{plan.threads} threads: the service's own training "
        "against `transformers.Trainer` with dynamic padding, the fused AdamW, rows "
        "tokenised beforehand and nothing logged or saved in "
        f"between. The same rows in the same order; {plan.rounds} rounds in turn of "
        f"{plan.steps} counted steps a side, from the end of one "
        "step to the end of the next.",
    )
    notes = [note for task in tasks for note in _iterate_notes(task)]
    return Result(
        "train_cpu",
        "Training on a CPU",
        command,
        text,
        [_build_table(tasks)],
        {"tasks": list(tasks)},
        notes,
    )


def _build_table(tasks: Sequence[dict[str, Any]]) -> Table:
    columns = (
        "task",
        "ours",
        "Trainer",
        "ours, ms a step",
        "Trainer, ms a step",
        "ratio",
        "of single rounds",
        "wanted",
    )
    return Table(columns, [row for task in tasks for row in _iterate_rows(task)])


def _iterate_rows(task: dict[str, Any]) -> Iterator[Sequence[str]]:
    milliseconds = task["milliseconds"]
    for ratio in task["ratios"]:
        yield (
            task["task"],
            ratio["ours"],
            ratio["trainers"],
            f"{milliseconds['evenkeel'][ratio['ours']]:.1f}",
            f"{milliseconds['trainer'][ratio['trainers']]:.1f}",
            f"{ratio['ratio']:.2f}",
            f"{ratio['smallest_of_a_round']:.2f} to {ratio['largest_of_a_round']:.2f}",
            "–" if ratio["wanted"] is None else f"{ratio['wanted']:g}",
        )


def _iterate_notes(task: dict[str, Any]) -> Iterator[str]:
    difference = task["largest_difference_of_losses"]
    if difference is not None:
        verdict = "equal" if difference <= LOSS_TOLERANCE else "NOT equal"
        yield (
            f"{task['task']}: over {task['equal_steps']} steps in float32 without dropout "
            f"the losses differ by at most {difference:.1e} "
            f"({verdict} within {LOSS_TOLERANCE:g}); a row has {task['tokens_a_row']:.1f} "
            "tokens on average."
        )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=["CoLA", "RTE"], default=["RTE", "CoLA"])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--batch-size", type=int, default=16, help="rows (default 16)")
    parser.add_argument("--threads", type=int, default=2, help="of either side (default 2)")
    parser.add_argument("--rounds", type=int, default=6, help="in turn (default 6)")
    parser.add_argument(
        "--steps", type=int, default=20, help="counted steps of a round (default 20)"
    )
    parser.add_argument(
        "--warm-up", type=int, default=3, help="steps before these, not counted (default 3)"
    )
    parser.add_argument(
        "--equal-steps",
        type=int,
        default=50,
        help="steps of the loss check; 0 for none (default 50)",
    )
    parser.add_argument(
        "--profile", action="store_true", help="print the operators of our steps instead"
    )
    parser.add_argument(
        "--no-record", action="store_true", help="print the table and write nothing"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
