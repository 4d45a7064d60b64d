"""``docs/results/stability.md`` from the JSON results of every task measured so far: tables,
pictures, verdicts, what did not help.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def write_page(results: Path) -> None:
    """Write the page next to the folder ``stability`` that holds the tasks' results."""
    tasks = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((results / "stability").glob("*.json"))
    ]
    if not tasks:
        raise SystemExit(f"There are no results in {results / 'stability'} to write a page of.")
    introduction = INTRODUCTION.format(rows=f"{tasks[0]['rows']:,}", model=tasks[0]["model"])
    sections = [introduction, *("\n".join(_iterate_section(task)) + "\n" for task in tasks)]
    (results / "stability.md").write_text("\n".join(sections), encoding="utf-8")


def _iterate_section(task: dict[str, Any]) -> Iterator[str]:
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


def _iterate_scores(task: dict[str, Any]) -> Iterator[str]:
    yield (
        "| recipe | precision | rate | steps | new blocks | seeds | mean ± std | min "
        "| median | max | degenerate |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for recipe in task["recipes"]:
        report, resolved = recipe["report"], recipe["resolved"]
        cells = [
            recipe["name"],
            resolved["precision"],
            f"{resolved['learning_rate']:g}",
            resolved["max_steps"],
            resolved["reinit_layers"],
            report["n"],
            f"{format_number(report['mean'])} ± {format_number(report['std'])}",
            *(format_number(report[name]) for name in ("min", "median", "max")),
            f"{report['degenerate']} of {report['n']}",
        ]
        yield f"| {' | '.join(map(str, cells))} |"
    yield ""
    missing = [
        name for name in RECIPES if name not in {recipe["name"] for recipe in task["recipes"]}
    ]
    if missing:
        yield f"Not measured yet on this task: {', '.join(f'`{name}`' for name in missing)}.\n"


def _iterate_baselines(report: dict[str, Any]) -> Iterator[str]:
    told = ", ".join(
        f"{baseline['name']} {format_number(baseline['score'])}" for baseline in report["baselines"]
    )
    yield f"Without fine-tuning, on the same rows: {told}.\n"


def _iterate_verdicts(task: dict[str, Any]) -> Iterator[str]:
    for recipe in task["recipes"]:
        yield (
            f"- **{recipe['name']}** ({recipe['report']['verdict']['code']}): "
            f"{recipe['report']['verdict']['text']}"
        )
    yield ""


def _iterate_control_pairs(task: dict[str, Any]) -> Iterator[str]:
    pairs = [pair for pair in task["pairs"] if pair["a"] == CONTROL]
    if not pairs:
        return
    yield (
        f"Against `{CONTROL}` (two-sided; p after Holm over all {len(task['pairs'])} "
        "pairs of recipes):\n"
    )
    yield "| recipe | difference | 95 % interval | Welch p | permutation p | verdict |"
    yield "|---|---|---|---|---|---|"
    for pair in pairs:
        tests = {test["name"]: test for test in pair["tests"]}
        interval = (
            "–"
            if pair["ci95"] is None
            else f"{format_number(pair['ci95'][0])} to {format_number(pair['ci95'][1])}"
        )
        cells = [
            pair["b"],
            format_number(pair["difference"]),
            interval,
            *(_format_p_value(tests[name]) for name in ("welch", "permutation")),
            pair["verdict"]["code"],
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _format_p_value(test: dict[str, Any]) -> str:
    p = test["p_holm"] if test["p_holm"] is not None else test["p"]
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _iterate_effects(task: dict[str, Any]) -> Iterator[str]:
    """Every recipe that was not shown to be better than another which has less of it."""
    codes = {(pair["a"], pair["b"]): pair["verdict"]["code"] for pair in task["pairs"]}
    asked = (
        ("debiased", CONTROL, "Bias correction alone"),
        ("reinit", "debiased", "Re-initialising on top of bias correction, at the same length,"),
        ("longer", "debiased", "Training longer on top of bias correction"),
        (
            "stabilized",
            "longer",
            "What `stabilized` adds to `longer` (re-initialisation, its depth chosen by pilots)",
        ),
    )
    yield "What helped and what did not:\n"
    for recipe, without, what in asked:
        match codes.get((without, recipe)):
            case "b_better":
                yield f"- {what} helped (`{recipe}` against `{without}`)."
            case "a_better":
                yield f"- {what} did harm (`{recipe}` against `{without}`)."
            case None:
                continue
            case code:
                yield (
                    f"- {what} did **not** help as far as these seeds can show "
                    f"(`{recipe}` against `{without}`: {code})."
                )
    yield ""


def _iterate_pilots(task: dict[str, Any]) -> Iterator[str]:
    for recipe in task["recipes"]:
        if recipe["pilots"]:
            yield f"Pilots of `{recipe['name']}`: {recipe['pilots']['reason']}\n"
