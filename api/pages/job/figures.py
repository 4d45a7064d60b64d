"""The figures of a job's report as pictures of their own, so that a page need not wait for them."""

import asyncio
import gzip
import json
import time
from enum import StrEnum
from functools import partial
from typing import Final

from fastapi import Request, Response
from markupsafe import Markup

from api.dependencies import AppServices
from api.errors import RouteNotFound
from api.pages.rendering import get_environment
from api.reports.drawing import PageSource, get_page
from api.reports.service import build_source
from shared.domain.limit_errors import ServiceBusy
from shared.report.figures import DARK, LIGHT
from shared.report.page import JobSection
from shared.report.page.inline_figures import InlineFigure, plan_figures

MAX_WAIT_S: Final = 20.0
RETRY_INTERVAL_S: Final = 0.25
FIGURE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cache-control": "private, max-age=300",
    "vary": "accept-encoding",
}
"""Of an SVG document; its address changes with what it shows."""


class Section(StrEnum):
    """Sections of a report that have figures."""

    SCORES = "scores"
    BEST_OF_N = "best_of_n"
    FAN = "fan"
    CURVES = "curves"
    STEP_SIZE = "step_size"
    CONFUSION = "confusion"


class Theme(StrEnum):
    LIGHT = "light"
    DARK = "dark"


_PALETTES: Final = {Theme.LIGHT: LIGHT, Theme.DARK: DARK}
NAMES: Final = {
    Section.SCORES: "Score of every seed",
    Section.BEST_OF_N: "Expected score of the best of n seeds",
    Section.FAN: "Validation scores during training, over the seeds",
    Section.CURVES: "Learning curve of every seed",
    Section.STEP_SIZE: "Size of the first updates without bias correction",
    Section.CONFUSION: "Confusion matrix of the best run",
}


async def read_figure(
    services: AppServices, job_id: str, section: Section, index: int, theme: Theme
) -> str:
    """Return a figure as an SVG document. Raises JobNotFound, RouteNotFound without the figure,
    and what drawing raises.
    """
    source = build_source(services, job_id, "figures")
    return await read_drawn_figure(services, source, section, index, theme)


async def read_drawn_figure(
    services: AppServices, source: PageSource, section: Section, index: int, theme: Theme
) -> str:
    """Return a figure of any source. Raises RouteNotFound without the figure, and what reading
    and drawing raise.
    """
    drawn = json.loads(await draw_in_turn(services, source))
    figures: list[str] = drawn[section]
    if not 0 <= index < len(figures):
        raise RouteNotFound("There is no such figure now; reload the page.")
    return color_figure(figures[index], theme)


def color_figure(svg: str, theme: Theme) -> str:
    """Replace the variables of a drawn figure by the colors of a theme."""
    for name, color in vars(_PALETTES[theme]).items():
        svg = svg.replace(f"var(--{name})", color)
    return svg


async def draw_in_turn(services: AppServices, source: PageSource) -> bytes:
    """Draw the figures, if necessary after those of other reports: a picture that is refused has
    no place to say so.
    """
    deadline = time.monotonic() + MAX_WAIT_S
    while True:
        try:
            return await get_page(services, source)
        except ServiceBusy:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_INTERVAL_S)


def respond_with_figure(svg: str, request: Request) -> Response:
    """Respond with an SVG document, compressed if the browser can read that."""
    body, headers = svg.encode(), FIGURE_HEADERS
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers = gzip.compress(body, mtime=0), headers | {"content-encoding": "gzip"}
    return Response(body, media_type="image/svg+xml", headers=headers)


def list_pictures(path: str, version: str, section: JobSection) -> dict[str, list[InlineFigure]]:
    """Return the figures of the report as pictures, for ``report_body.html.j2``."""
    place = partial(_place_picture, path, version)
    return {
        name: [place(Section(name), index, section) for index in range(len(planned))]
        for name, planned in plan_figures([section]).items()
    }


def _place_picture(
    path: str, version: str, name: Section, index: int, section: JobSection
) -> InlineFigure:
    template = get_environment().get_template("job/picture.html.j2")
    markup = template.render(
        path=f"{path}/figures/{name}/{index}",
        version=version,
        section=name,
        text=describe_figure(name, section),
    )
    return InlineFigure(Markup(markup), NAMES[name])


def describe_figure(name: Section, section: JobSection) -> str:
    """Describe a figure for those who do not see it; the tables beside it have the numbers."""
    report = section.report
    if name is not Section.SCORES or report.mean is None:
        return f"{NAMES[name]}. The tables on this page have the numbers."
    scores = ", ".join(
        f"{run.seed}: {run.score:.3f}" for run in report.runs if run.score is not None
    )
    return f"{NAMES[name]}, {report.metric} by seed: {scores}. Mean {report.mean:.3f}."
