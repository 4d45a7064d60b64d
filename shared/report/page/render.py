"""Rendering of the report as one self-contained HTML file (no script, no request, figures
inside), and as a picture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.report.comparison.schemas import Comparison
from shared.report.figures import DARK, LIGHT, build_scores_figure
from shared.report.page.cells import FILTERS
from shared.report.page.inline_figures import build_inline_figures
from shared.report.page.section import JobSection
from shared.report.page.tables import build_tables
from shared.report.schemas import StabilityReport
from shared.report.verdict import MIN_SEEDS, STABLE_STD

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"


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
    return _load_template().render(
        heading=heading,
        jobs=jobs,
        pairs=comparison.pairs if comparison else [],
        titles={job.report.job_id: job.title for job in jobs},
        figures=build_inline_figures(jobs),
        light=LIGHT,
        dark=DARK,
        stable_std=STABLE_STD,
        min_seeds=MIN_SEEDS,
        **build_tables(jobs),
    )


def render_summary_png(reports: Sequence[tuple[str, StabilityReport]]) -> bytes:
    """Render the summary picture, every seed's score of every job, at twice the size for sharp
    print.
    """
    return build_scores_figure(reports).to_png(scale=2.0)


def _load_template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template("report.html.j2")
