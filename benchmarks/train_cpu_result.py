"""The section of the speed page that ``benchmarks.train_cpu`` writes."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from benchmarks.glue import FOLDER_VARIABLE
from benchmarks.results import Result, Table
from benchmarks.step_times import StepTimePlan, Times
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.recipe import Precision

LOSS_TOLERANCE = 1e-4
"""Largest difference between two losses of a float32 step that count as equal."""
COLUMNS = (
    "task",
    "ours",
    "Trainer",
    "ours, ms a step",
    "Trainer, ms a step",
    "ratio",
    "of single rounds",
    "wanted",
)


class Ratio(TypedDict):
    """Trainer's time over ours, at one precision of each side."""

    ours: Precision
    trainers: Precision
    ratio: float
    smallest_of_a_round: float
    largest_of_a_round: float
    wanted: float | None


class TaskFigures(TypedDict):
    """Figures of one task, as JSON."""

    task: str
    tokens_a_row: float
    milliseconds: dict[str, dict[str, float]]
    ratios: list[Ratio]
    times: Times
    equal_steps: int
    largest_difference_of_losses: float | None


def build_result(plan: StepTimePlan, tasks: Sequence[TaskFigures]) -> Result:
    """Build the section of the speed page."""
    return Result(
        name="train_cpu",
        title="Training on a CPU",
        command=_format_command(plan, tasks),
        text=[_format_text(plan)],
        tables=[Table(COLUMNS, [row for task in tasks for row in _iterate_rows(task)])],
        figures={"tasks": list(tasks)},
        notes=[note for task in tasks for note in _iterate_notes(task)],
    )


def _format_command(plan: StepTimePlan, tasks: Sequence[TaskFigures]) -> str:
    return (
        f"{FOLDER_VARIABLE}=… python -m benchmarks.train_cpu "
        f"--tasks {' '.join(task['task'] for task in tasks)} "
        f"--precisions {' '.join(plan.precisions)} --batch-size {plan.batch_size} "
        f"--threads {plan.threads} --rounds {plan.rounds} --steps {plan.steps} "
        f"--warm-up {plan.warm_up} --equal-steps {plan.equal_steps}"
    )


def _format_text(plan: StepTimePlan) -> str:
    return (
        f"One training step of {OFFLINE_ENCODER} at batch size {plan.batch_size} on "
        f"{plan.threads} threads: the service's own training against `transformers.Trainer` with "
        "dynamic padding, the fused AdamW, rows tokenized beforehand, and no logging or saving "
        f"in between. Both sides train the same rows in the same order, in {plan.rounds} rounds "
        f"of {plan.steps} counted steps each; a step's time runs from the end of the step before."
    )


def _iterate_rows(task: TaskFigures) -> Iterator[Sequence[str]]:
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


def _iterate_notes(task: TaskFigures) -> Iterator[str]:
    difference = task["largest_difference_of_losses"]
    if difference is not None:
        verdict = "equal" if difference <= LOSS_TOLERANCE else "NOT equal"
        yield (
            f"{task['task']}: over {task['equal_steps']} steps in float32 without dropout, the "
            f"losses differ by at most {difference:.1e} ({verdict} within {LOSS_TOLERANCE:g}); "
            f"a row has {task['tokens_a_row']:.1f} tokens on average."
        )
