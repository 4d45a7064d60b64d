"""Write ``docs/results/stability.md`` from the JSON results of all measured tasks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from shared.report.formatting import format_number

RECIPES = ("conventional", "debiased", "reinit", "longer", "stabilized")
CONTROL = RECIPES[0]
INTRODUCTION = """# Stability on GLUE tasks cut to {rows} rows

The protocol is that of *Revisiting Few-sample BERT Fine-tuning* (Zhang et al., ICLR 2021): {rows}
training rows, the task's dev rows halved within each class into validation and test, ten
evaluations spread over a run, the checkpoint with the best validation score scored once on the
test half, the same seeds, rows and learning rate for every recipe. The encoder is the real
{model} (6 layers, 22.7 M parameters). Scores are of the test half; "±" is the standard deviation
over seeds. Every recipe ran through the service itself (upload, job, queue, worker), and the
comparisons are the service's own. The benchmark generates this page and shows every measurement,
whatever its outcome.
"""


EFFECTS = (
    ("debiased", CONTROL, "Bias correction alone"),
    ("reinit", "debiased", "Re-initializing on top of bias correction, at the same length,"),
    ("longer", "debiased", "Training longer on top of bias correction"),
    (
        "stabilized",
        "longer",
        "What `stabilized` adds to `longer` (re-initialization, its depth chosen by pilots)",
    ),
)
"""A recipe, the recipe that it builds on, and what the difference between them is."""

JsonObject = dict[str, Any]


class RecipeResult(TypedDict):
    """One recipe's job, as JSON."""

    name: str
    resolved: JsonObject | None
    notes: JsonObject
    pilots: JsonObject | None
    report: JsonObject
    """The job's stability report."""


class TaskResult(TypedDict):
    """The result of one task, as JSON."""

    task: str
    rows: int
    model: str
    command: str
    machine: dict[str, str]
    recipes: list[RecipeResult]
    pairs: list[JsonObject]
    """Pairs of the comparison, in which ``a`` and ``b`` are names of recipes."""


def write_page(results: Path) -> None:
    """Write the page next to the folder ``stability`` that holds the tasks' results."""
    tasks: list[TaskResult] = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((results / "stability").glob("*.json"))
    ]
    if not tasks:
        raise SystemExit(f"There are no results in {results / 'stability'}. Run the benchmark.")
    introduction = INTRODUCTION.format(rows=f"{tasks[0]['rows']:,}", model=tasks[0]["model"])
    sections = [introduction, *("\n".join(_iterate_section(task)) + "\n" for task in tasks)]
    (results / "stability.md").write_text("\n".join(sections), encoding="utf-8")


def _iterate_section(task: TaskResult) -> Iterator[str]:
    first = task["recipes"][0]["report"]
    machine = ", ".join(f"{name} {value}" for name, value in task["machine"].items())
    yield f"## {task['task']}\n"
    yield (
        f"{first['metric']} on {first['evaluation_rows']} test rows. "
        f"`{task['command']}` ({machine}).\n"
    )
    yield f"![Every seed's score](stability/{task['task']}.png)\n"
    yield from _iterate_scores(task)
    yield from _iterate_baselines(first)
    yield from _iterate_verdicts(task)
    yield from _iterate_control_pairs(task)
    yield from _iterate_effects(task)
    yield from _iterate_pilots(task)


def _iterate_scores(task: TaskResult) -> Iterator[str]:
    yield (
        "| recipe | precision | rate | steps | new blocks | seeds | mean ± std | min "
        "| median | max | degenerate |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for recipe in task["recipes"]:
        yield f"| {' | '.join(_list_score_cells(recipe))} |"
    yield ""
    measured = {recipe["name"] for recipe in task["recipes"]}
    missing = [f"`{name}`" for name in RECIPES if name not in measured]
    if missing:
        yield f"Not measured yet on this task: {', '.join(missing)}.\n"


def _list_score_cells(recipe: RecipeResult) -> list[str]:
    report, resolved = recipe["report"], recipe["resolved"] or {}
    return [
        recipe["name"],
        resolved["precision"],
        f"{resolved['learning_rate']:g}",
        str(resolved["max_steps"]),
        str(resolved["reinit_layers"]),
        str(report["n"]),
        f"{format_number(report['mean'])} ± {format_number(report['std'])}",
        *(format_number(report[name]) for name in ("min", "median", "max")),
        f"{report['degenerate']} of {report['n']}",
    ]


def _iterate_baselines(report: JsonObject) -> Iterator[str]:
    scores = ", ".join(
        f"{baseline['name']} {format_number(baseline['score'])}" for baseline in report["baselines"]
    )
    yield f"Without fine-tuning, on the same rows: {scores}.\n"


def _iterate_verdicts(task: TaskResult) -> Iterator[str]:
    for recipe in task["recipes"]:
        yield (
            f"- **{recipe['name']}** ({recipe['report']['verdict']['code']}): "
            f"{recipe['report']['verdict']['text']}"
        )
    yield ""


def _iterate_control_pairs(task: TaskResult) -> Iterator[str]:
    pairs = [pair for pair in task["pairs"] if pair["a"] == CONTROL]
    if not pairs:
        return
    yield (
        f"Against `{CONTROL}` (two-sided; p after Holm over all {len(task['pairs'])} "
        "pairs of recipes):\n"
    )
    yield "| recipe | difference | 95% interval | Welch p | permutation p | verdict |"
    yield "|---|---|---|---|---|---|"
    for pair in pairs:
        yield f"| {' | '.join(_list_pair_cells(pair))} |"
    yield ""


def _list_pair_cells(pair: JsonObject) -> list[str]:
    tests = {test["name"]: test for test in pair["tests"]}
    return [
        pair["b"],
        format_number(pair["difference"]),
        "–" if pair["ci95"] is None else " to ".join(map(format_number, pair["ci95"])),
        *(_format_p_value(tests[name]) for name in ("welch", "permutation")),
        pair["verdict"]["code"],
    ]


def _format_p_value(test: JsonObject) -> str:
    p = test["p_holm"] if test["p_holm"] is not None else test["p"]
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _iterate_effects(task: TaskResult) -> Iterator[str]:
    codes = {(pair["a"], pair["b"]): pair["verdict"]["code"] for pair in task["pairs"]}
    yield "What helped and what did not:\n"
    for recipe, without, effect in EFFECTS:
        match codes.get((without, recipe)):
            case "b_better":
                yield f"- {effect} helped (`{recipe}` against `{without}`)."
            case "a_better":
                yield f"- {effect} did harm (`{recipe}` against `{without}`)."
            case None:
                continue
            case code:
                yield (
                    f"- {effect} did **not** help as far as these seeds can show "
                    f"(`{recipe}` against `{without}`: {code})."
                )
    yield ""


def _iterate_pilots(task: TaskResult) -> Iterator[str]:
    for recipe in task["recipes"]:
        if recipe["pilots"]:
            yield f"Pilots of `{recipe['name']}`: {recipe['pilots']['reason']}\n"
