"""The page at the root of the service: what it is, the newest jobs, the first commands."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from shared.db.tables import Job
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.report.figures import DARK, LIGHT
from shared.report.page.render import load_template

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_URL = "http://127.0.0.1:8000"
_PLAIN_URL = re.compile(r"https?://[\w.:\[\]-]+", re.ASCII)


def render_home_page(
    base_url: str, jobs: Sequence[Job] | None, version: str, *, has_docs: bool
) -> str:
    """Render the page; ``jobs`` is None if an API key protects them."""
    url = base_url.rstrip("/")
    return load_template("home.html.j2", TEMPLATES).render(
        # the host is the client's word, and people paste these commands into a shell
        url=url if _PLAIN_URL.fullmatch(url) else DEFAULT_URL,
        default_url=DEFAULT_URL,
        jobs=None if jobs is None else [_describe_job(job) for job in jobs],
        model=OFFLINE_ENCODER,
        version=version,
        has_docs=has_docs,
        light=LIGHT,
        dark=DARK,
    )


def _describe_job(job: Job) -> dict[str, str]:
    recipe = job.resolved_recipe or job.request.recipe
    return {
        "id": job.id,
        "model": job.model,
        "suffix": job.suffix or "",
        "preset": recipe.preset,
        "status": job.status,
        "created": f"{datetime.fromtimestamp(job.created_at, UTC):%Y-%m-%d %H:%M} UTC",
    }
