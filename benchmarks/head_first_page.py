"""The page of ``benchmarks.head_first``: a table of its cases, with the head drawn and fitted."""

import json
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any, TypedDict

from benchmarks.results import RESULTS_FOLDER, describe_machine, format_machine
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.recipe import Recipe


class RunScores(TypedDict):
    """What one run scored."""

    first: float | None
    """Validation score at the first evaluation."""
    best_step: int
    validation: float | None
    test: float | None
    degenerate: bool
    head_fit: dict[str, Any] | None


class CaseScores(TypedDict):
    """The runs of one case, by seed."""

    drawn: list[RunScores]
    fitted: list[RunScores]


def write_page(command: str, recipe: Recipe, cases: Mapping[str, CaseScores | None]) -> None:
    """Write ``head_first.json`` and ``head_first.md``; ``command`` repeats the measurement.

    A case of which runs are missing is None.
    """
    machine = describe_machine()
    result = {
        "command": command,
        "machine": machine,
        "recipe": recipe.model_dump(mode="json", exclude={"head_first"}),
        "cases": dict(cases),
    }
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (RESULTS_FOLDER / "head_first.json").write_text(text, encoding="utf-8")
    page = _format_page(command, recipe, cases, format_machine(machine))
    (RESULTS_FOLDER / "head_first.md").write_text(page, encoding="utf-8")


def _format_page(
    command: str, recipe: Recipe, cases: Mapping[str, CaseScores | None], machine: str
) -> str:
    lines = [
        "# The head fitted first, and drawn",
        "",
        f"The real {OFFLINE_ENCODER} with and without `recipe.head_first`, on the same seeds and",
        f"rows: preset `{recipe.preset}`, {recipe.max_steps} steps at {recipe.learning_rate:g}, "
        f"{recipe.precision}, {recipe.eval_points} evaluations,",
        "and for a fitted head one more after step 1, which can be chosen too. GLUE tasks are cut",
        "to 1,000 training rows, and their dev rows halved into validation and test; the",
        "docstrings are the demo's, 280 of them for training. The benchmark generates this page,",
        "whatever the outcome.",
        "",
        f"`{command}` ({machine}).",
        "",
        "| case | head | seeds | the fit, on training rows | validation, first evaluation | "
        "validation, best | test, mean ± std | worst test | degenerate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, scores in cases.items():
        if scores is None:
            continue
        lines.append(f"| {name} | drawn | {_format_scores(scores['drawn'])} |")
        lines.append(f"| {name} | fitted | {_format_scores(scores['fitted'])} |")
    missing = [name for name, scores in cases.items() if scores is None]
    if missing:
        lines += ["", f"Not measured yet: {'; '.join(missing)}."]
    return "\n".join(lines) + "\n"


def _format_scores(runs: Sequence[RunScores]) -> str:
    fits = [run["head_fit"]["score"] or 0.0 for run in runs if run["head_fit"] is not None]
    tests = [run["test"] or 0.0 for run in runs]
    spread = f" ± {stdev(tests):.3f}" if len(tests) > 1 else ""
    cells = [
        str(len(runs)),
        f"{mean(fits):.3f}" if fits else "–",
        f"{mean(run['first'] or 0.0 for run in runs):.3f}",
        f"{mean(run['validation'] or 0.0 for run in runs):.3f}",
        f"{mean(tests):.3f}{spread}",
        f"{min(tests):.3f}",
        f"{sum(run['degenerate'] for run in runs)} of {len(runs)}",
    ]
    return " | ".join(cells)
