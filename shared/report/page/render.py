"""Rendering of the report as one self-contained HTML file (no script, no request, figures
inside), and as a picture.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.report.cautions import rank_cautions
from shared.report.comparison.schemas import Comparison
from shared.report.figures import DARK, LIGHT, build_scores_figure
from shared.report.formatting import choose_run_noun
from shared.report.page.cells import FILTERS
from shared.report.page.compared_jobs import describe_compared_jobs
from shared.report.page.inline_figures import InlineFigure, build_inline_figures
from shared.report.page.section import JobSection
from shared.report.page.tables import build_tables
from shared.report.schemas import Caution, StabilityReport
from shared.report.verdict import MIN_SEEDS, STABLE_STD

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"


def render_report(
    jobs: Sequence[JobSection], comparison: Comparison | None = None, *, heading: str | None = None
) -> str:
    """Render the page of one job, or of several that share metric and split.

    With a comparison, its verdicts come first; jobs of it that are not given were deleted. Every
    name is escaped. The same input gives the same text: no clock is read.
    """
    if comparison is None and not jobs:
        raise ValueError("a report needs at least one job")
    return load_template("report.html.j2").render(
        heading=heading or ("Comparison" if comparison else "Stability report"),
        light=LIGHT,
        dark=DARK,
        **build_report_context(jobs, comparison, build_inline_figures(jobs)),
    )


def build_report_context(
    jobs: Sequence[JobSection],
    comparison: Comparison | None,
    figures: Mapping[str, Sequence[InlineFigure]],
) -> dict[str, object]:
    """Return the variables of ``report_body.html.j2``, which shows the given figures."""
    cautions = _list_cautions(jobs, comparison)
    scored = comparison or jobs[0].report
    return {
        "jobs": jobs,
        "run_noun": choose_run_noun(run for job in jobs for run in job.report.runs),
        "metric": scored.metric,
        "split": scored.split,
        "pairs": comparison.pairs if comparison else [],
        "high_cautions": [caution for caution in cautions if caution.severity == "high"],
        "other_cautions": [caution for caution in cautions if caution.severity != "high"],
        "figures": figures,
        "stable_std": STABLE_STD,
        "min_seeds": MIN_SEEDS,
        **describe_compared_jobs(jobs, comparison),
        **build_tables(jobs),
    }


def _list_cautions(jobs: Sequence[JobSection], comparison: Comparison | None) -> list[Caution]:
    """Return those of the comparison, which include its jobs', or name the job where there are
    several without a comparison.
    """
    if comparison is not None:
        return comparison.warnings
    if len(jobs) == 1:
        return jobs[0].report.warnings
    return rank_cautions(
        caution.model_copy(update={"message": f"{job.title}: {caution.message}"})
        for job in jobs
        for caution in job.report.warnings
    )


def render_summary_png(reports: Sequence[tuple[str, StabilityReport]]) -> bytes:
    """Render the summary picture, every seed's score of every job, at twice the size for sharp
    print.
    """
    return build_scores_figure(reports).to_png(scale=2.0)


def load_template(name: str, *folders: Path) -> "Template":
    """Load a template from this package or the given folders; its variables are escaped."""
    return make_environment(*folders).get_template(name)


def make_environment(*folders: Path) -> "Environment":
    """Return an environment of this package's templates and those in the given folders."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment
