"""The report as one self-contained HTML file (no script, no request, figures inside), and as a
picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.recipe.pilot_schemas import PilotEvidence
from shared.report.comparison.schemas import Comparison
from shared.report.comparison.verdict import TEST_NAMES
from shared.report.details import ClassScores
from shared.report.figures import (
    CSS_VARIABLES,
    DARK,
    LIGHT,
    Figure,
    SeedCurve,
    build_best_of_n_figure,
    build_confusion_figure,
    build_fan_figure,
    build_loss_curves_figure,
    build_scores_figure,
    build_step_size_figure,
)
from shared.report.figures.confusion import MAX_LABELS
from shared.report.formatting import (
    format_baseline_title,
    format_interval,
    format_number,
    format_percent,
    format_seeds,
)
from shared.report.schemas import ReportedRun, StabilityReport
from shared.report.verdict import MIN_SEEDS, STABLE_STD

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
MAX_CLASSES = 30
"""Number of labels in a job's table; with more, the weakest are shown."""
VERDICT_TONES = {
    "good": frozenset({"stable", "b_better", "a_better"}),
    "bad": frozenset(
        {"all_degenerate", "some_degenerate", "unstable", "not_better_than_baseline", "no_result"}
    ),
}
"""Colours of the verdicts; every other code is neutral."""


@dataclass(frozen=True)
class JobSection:
    """One job on the page; several stand side by side."""

    title: str
    report: StabilityReport
    recipe: Mapping[str, object]
    """The resolved recipe, in display order."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Model, data, device and similar facts, as displayed."""
    curves: tuple[SeedCurve, ...] = ()


@dataclass(frozen=True)
class _SettingRow:
    name: str
    values: list[str]
    differs: bool


@dataclass(frozen=True)
class _PilotTable:
    title: str
    evidence: PilotEvidence
    columns: list[str]
    """In order of first appearance."""


def render_report(
    jobs: Sequence[JobSection],
    comparison: Comparison | None = None,
    *,
    heading: str = "Stability report",
) -> str:
    """Render the page of one job, or of several that share metric and split, with a comparison
    of two if given.

    Every name is escaped. The same input gives the same text: no clock is read.
    """
    if not jobs:
        raise ValueError("a report needs at least one job")
    titles = {job.report.job_id: job.title for job in jobs}
    return (
        _create_environment()
        .get_template("report.html.j2")
        .render(
            heading=heading,
            jobs=jobs,
            pairs=comparison.pairs if comparison else [],
            alpha=comparison.alpha if comparison else None,
            titles=titles,
            facts=_build_setting_rows([job.facts for job in jobs]),
            settings=_build_setting_rows([job.recipe for job in jobs]),
            seeds=_build_seed_rows(jobs),
            baselines=list(
                dict.fromkeys(base.name for job in jobs for base in job.report.baselines)
            ),
            classes=[
                (job.title, _select_weakest_classes(job.report.per_class))
                for job in jobs
                if job.report.per_class
            ],
            max_classes=MAX_CLASSES,
            pilots=[
                _build_pilot_table(job.title, job.report.pilots)
                for job in jobs
                if job.report.pilots
            ],
            figures=_build_figures(jobs),
            light=LIGHT,
            dark=DARK,
            stable_std=STABLE_STD,
            min_seeds=MIN_SEEDS,
        )
    )


def render_summary_png(reports: Sequence[tuple[str, StabilityReport]]) -> bytes:
    """Render the summary picture, every seed's score of every job, at twice the size for sharp
    print.
    """
    return build_scores_figure(reports).to_png(scale=2.0)


def _create_environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_format_number_cell,
        interval=_format_interval_cell,
        percent=format_percent,
        tone=_get_verdict_tone,
        words=_format_code,
        shown=_format_value,
        baseline=format_baseline_title,
        seeds_of=lambda run: format_seeds(run.init_seed, run.data_seed, run.fold),
        test_name=TEST_NAMES.__getitem__,
    )
    return environment


def _format_number_cell(value: float | None) -> str:
    return "–" if value is None else format_number(value)


def _format_interval_cell(bounds: tuple[float, float] | None) -> str:
    return "–" if bounds is None else format_interval(bounds)


def _format_code(code: str) -> str:
    return code.replace("_", " ")


def _get_verdict_tone(code: str) -> str:
    return next((tone for tone, codes in VERDICT_TONES.items() if code in codes), "neutral")


def _build_setting_rows(columns: Sequence[Mapping[str, object]]) -> list[_SettingRow]:
    """One row for each name that any column has, in order of first appearance."""
    names = dict.fromkeys(name for column in columns for name in column)
    rows = ([_format_value(column.get(name)) for column in columns] for name in names)
    return [
        _SettingRow(name, values, len(set(values)) > 1)
        for name, values in zip(names, rows, strict=True)
    ]


def _format_value(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_format_value(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_format_value, value)) or "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _select_weakest_classes(classes: list[ClassScores]) -> list[ClassScores]:
    """List all labels in their order or, if there are too many, those with the lowest F1."""
    if len(classes) <= MAX_CLASSES:
        return classes
    return sorted(classes, key=lambda one: one.f1.mean if one.f1.mean is not None else -1.0)[
        :MAX_CLASSES
    ]


def _build_pilot_table(title: str, pilots: Mapping[str, Any]) -> _PilotTable:
    """Build a table of what the pilots' candidates differ in and of their scores."""
    evidence = PilotEvidence.model_validate(pilots)
    names = (name for candidate in evidence.candidates for name in candidate)
    return _PilotTable(title, evidence, list(dict.fromkeys(names)))


def _build_seed_rows(jobs: Sequence[JobSection]) -> list[tuple[ReportedRun | None, ...]]:
    """Rows of runs by index, one column per job."""
    return list(zip_longest(*(job.report.runs for job in jobs)))


def _build_figures(jobs: Sequence[JobSection]) -> dict[str, list[dict[str, Any]]]:
    """Build the page's figures by section; a section without data has none."""
    metric = jobs[0].report.metric
    curves = [curve for job in jobs for curve in job.curves]
    reports = [(job.title, job.report) for job in jobs]
    uncorrected = {
        steps
        for job in jobs
        if job.recipe.get("bias_correction") is False
        and isinstance(steps := job.recipe.get("max_steps"), int)
    }
    return {
        "scores": [_inline_figure(build_scores_figure(reports, CSS_VARIABLES))],
        "best_of_n": (
            [_inline_figure(build_best_of_n_figure(reports, CSS_VARIABLES))]
            if any(
                report.best_of_n is not None and report.best_of_n.runs > 1 for _, report in reports
            )
            else []
        ),
        "fan": (
            [_inline_figure(build_fan_figure(reports, CSS_VARIABLES))]
            if any(report.learning_curve is not None for _, report in reports)
            else []
        ),
        "curves": [_inline_figure(build_loss_curves_figure(curves, metric, CSS_VARIABLES))]
        if curves
        else [],
        "step_size": [
            _inline_figure(build_step_size_figure(steps, palette=CSS_VARIABLES))
            for steps in sorted(uncorrected)
        ],
        "confusion": [
            _inline_figure(figure) for job in jobs for figure in _build_confusion_figures(job)
        ],
    }


def _build_confusion_figures(job: JobSection) -> list[Figure]:
    confusion = job.report.confusion_matrix
    if confusion is None or not 0 < len(confusion.labels) <= MAX_LABELS:
        return []
    seed = next(
        (f", seed {run.seed}" for run in job.report.runs if run.run_id == confusion.run_id), ""
    )
    return [
        build_confusion_figure(
            confusion, f"{job.title}{seed}, {job.report.split} rows", CSS_VARIABLES
        )
    ]


def _inline_figure(figure: Figure) -> dict[str, Any]:
    """Inline an SVG as markup: the renderer has escaped its texts."""
    from markupsafe import Markup

    return {"svg": Markup(figure.to_svg())}
