"""Rendering of the pages' templates, and the headers of every page."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from api.pages.assets import build_asset_url
from api.pages.formatting import PAGE_FILTERS
from shared.report.page.render import make_environment

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent

PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # no other host learns an address; with no-referrer, a form would not tell its origin either
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "vary": "accept, cookie",
}


@cache
def get_environment() -> "Environment":
    """Return the environment of the templates, which are compiled once."""
    environment = make_environment(FOLDER)
    environment.filters.update(PAGE_FILTERS)
    environment.globals["asset"] = build_asset_url
    return environment


def render_template(name: str, values: dict[str, object]) -> str:
    """Render a template, named by its path in this package."""
    return get_environment().get_template(name).render(values)
