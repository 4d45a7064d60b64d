"""Curves of the training of all runs of a job together, thinned for figures and tables.

``GET …/runs/{run_id}/metrics`` has every point of one run.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.reports.drawing import PageSource
from api.reports.page_process import Drawing
from shared.db.jobs import Jobs
from shared.db.run_curves import CurveSteps, Points, load_curves, thin_steps
from shared.db.runs import Runs
from shared.db.tables import Job, Run
from shared.recipe import Recipe
from shared.recipe.schedule import list_evaluation_steps
from shared.report.formatting import format_seeds
from shared.report.training_curves import (
    MAX_STEPS,
    Measure,
    SeedLine,
    TrainingPlot,
    build_plot,
)

STEPWISE: Final = (Measure.TRAIN_LOSS, Measure.GRAD_NORM, Measure.LEARNING_RATE)
"""Series with a point per step; the others have one per evaluation."""


def read_plots(services: AppServices, job_id: str) -> list[TrainingPlot]:
    """Return the plots that the job's main runs have points for. Raises JobNotFound."""
    with services.database.read() as session:
        return _load_plots(session, Jobs(session).get(job_id, services.owner_id))


def build_curves_source(services: AppServices, job_id: str) -> PageSource:
    """Return what the figures of the curves are made of. Reading raises JobNotFound."""

    def read_jobs(session: Session) -> Sequence[Job]:
        return [Jobs(session).get(job_id, services.owner_id)]

    def read_drawing(session: Session, jobs: Sequence[Job]) -> Drawing:
        return Drawing([], format="curves", plots=_load_plots(session, jobs[0]))

    return PageSource(job_id, "curves", read_jobs, read_drawing)


def write_plot(plot: TrainingPlot) -> str:
    """Return the numbers of a plot as CSV: a row for each step, a column for each run."""
    text = io.StringIO()
    table = csv.writer(text)
    is_effective = bool(plot.effective)
    table.writerow(
        ["step", "n", "mean", "std", "lowest", "highest"]
        + (["without_bias_correction"] if is_effective else [])
        + [f"seed {line.name}" if line.name[:1].isdigit() else line.name for line in plot.lines]
    )
    effective = dict(plot.effective)
    values = [dict(line.points) for line in plot.lines]
    for point in plot.band:
        table.writerow(
            [point.step, point.n, point.mean, point.std, point.low, point.high]
            + ([effective.get(point.step, "")] if is_effective else [])
            + [by_step.get(point.step, "") for by_step in values]
        )
    return text.getvalue()


def _load_plots(session: Session, job: Job) -> list[TrainingPlot]:
    runs = [run for run in Runs(session).list_by_job(job.id) if run.step > 0]
    recipe = job.resolved_recipe if isinstance(job.resolved_recipe, Recipe) else None
    curves = load_curves(session, _list_steps(runs, job.metric, recipe))
    plots = (
        build_plot(
            measure,
            job.metric,
            _build_lines(runs, curves.get(_name_series(measure, job.metric), {})),
            uncorrected_betas=_find_uncorrected_betas(recipe),
        )
        for measure in Measure
    )
    return [plot for plot in plots if plot is not None]


def _find_uncorrected_betas(recipe: Recipe | None) -> tuple[float, float] | None:
    if recipe is None or recipe.bias_correction:
        return None
    return recipe.adam_beta1, recipe.adam_beta2


def _name_series(measure: Measure, metric: str) -> str:
    return f"valid_{metric}" if measure is Measure.SCORE else measure.value


def _list_steps(runs: Sequence[Run], metric: str, recipe: Recipe | None) -> list[CurveSteps]:
    """List the points to look up; runs of the same length share theirs."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for run in runs:
        by_length[run.total_steps].append(run.id)
    evaluated = [_name_series(one, metric) for one in Measure if one not in STEPWISE]
    wanted = []
    for length, run_ids in by_length.items():
        every = range(1, length + 1)
        at = every if recipe is None else list_evaluation_steps(length, recipe.eval_points)
        wanted.append(CurveSteps(run_ids, [*STEPWISE], thin_steps(every, MAX_STEPS)))
        # with head_first, the first evaluation is that of the fitted head
        wanted.append(CurveSteps(run_ids, evaluated, thin_steps(sorted({1, *at}), MAX_STEPS)))
    return wanted


def _build_lines(runs: Sequence[Run], points: Mapping[str, Points]) -> list[SeedLine]:
    return [
        SeedLine(
            name=format_seeds(run.init_seed, run.data_seed, run.fold),
            degenerate=bool(run.degenerate),
            points=points.get(run.id, []),
        )
        for run in runs
    ]
