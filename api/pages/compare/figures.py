"""Figures of compared jobs as pictures of their own, so that a page need not wait for them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from api.comparisons.live import LiveComparison
from api.comparisons.schemas import ComparisonRequest
from api.pages.job.figures import NAMES, Section
from api.pages.rendering import get_environment
from shared.report.formatting import format_number, format_spread
from shared.report.page import JobSection
from shared.report.page.inline_figures import InlineFigure, plan_figures

FIGURES_PATH: Final = "/compare/figures"


def list_compared_pictures(
    request: ComparisonRequest, live: LiveComparison
) -> Mapping[str, list[InlineFigure]]:
    """Return the figures as pictures, for ``report_body.html.j2``."""
    query = build_query(request) | {"v": _compute_version(live)}
    return {
        name: [
            _place_picture(Section(name), index, urlencode(query, doseq=True), live)
            for index in range(len(planned))
        ]
        for name, planned in plan_figures(live.sections).items()
    }


def build_query(request: ComparisonRequest) -> dict[str, object]:
    """Return the parameters of this comparison in an address."""
    query: dict[str, object] = {"job": request.job_ids}
    if request.metric is not None:
        query["metric"] = request.metric
    return query


def _place_picture(section: Section, index: int, query: str, live: LiveComparison) -> InlineFigure:
    template = get_environment().get_template("compare/picture.html.j2")
    markup = template.render(
        path=f"{FIGURES_PATH}/{section}/{index}",
        query=query,
        section=section,
        jobs=len(live.jobs),
        text=_describe_figure(section, live.sections),
    )
    return InlineFigure(Markup(markup), NAMES[section])


def _describe_figure(name: Section, sections: Sequence[JobSection]) -> str:
    """Describe a figure for those who do not see it; the tables beside it have the numbers."""
    if name is not Section.SCORES:
        return f"{NAMES[name]}. The tables on this page have the numbers."
    means = "; ".join(_describe_scores(section) for section in sections)
    return f"{NAMES[name]}, {sections[0].report.metric} of every job. {means}."


def _describe_scores(section: JobSection) -> str:
    report = section.report
    if report.mean is None:
        return f"{section.title}: no score"
    if report.equal_scores:
        spread = " in every run"
    else:
        spread = "" if report.std is None else f" ± {format_spread(report.std)}"
    return f"{section.title}: mean {format_number(report.mean)}{spread}, n = {report.n}"


def _compute_version(live: LiveComparison) -> str:
    """Return a text that changes when another run has ended, and with it the figures."""
    states = [(one.report.n, one.report.failed, one.report.provisional) for one in live.sections]
    return hashlib.blake2b(repr(states).encode(), digest_size=6).hexdigest()
