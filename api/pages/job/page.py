"""What every tab of a job starts from, and the tabs themselves."""

import pkgutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Any, Final

from starlette.responses import Response

from api.jobs.schemas import JobObject
from api.jobs.service import get_job, list_events
from api.pages.job import tabs
from api.pages.jobs.view import JobRow, build_row
from api.pages.page import Page
from api.runs.schemas import RunObject
from api.runs.service import list_runs
from shared.db.pagination import PageRequest
from shared.domain.states import OPEN_RUN_STATES, JobState, Purpose, RunState

CURVE_INTERVAL_S: Final = 15.0
"""Between two drawings of a running job's curves, which take some seconds of processor time."""


@dataclass(frozen=True)
class JobPage:
    """A job on its page, for the request's caller. Templates see it as ``shown``."""

    page: Page
    job: JobObject

    @property
    def path(self) -> str:
        return f"/jobs/{self.job.id}"

    @cached_property
    def row(self) -> JobRow:
        return build_row(self.job)

    @cached_property
    def runs(self) -> list[RunObject]:
        """The main runs by index."""
        return list_runs(self.page.services, self.job.id, Purpose.MAIN)

    @property
    def report(self) -> dict[str, Any]:
        return dict(self.row.report)

    @property
    def is_paused(self) -> bool:
        return self.job.status == JobState.PAUSED

    @property
    def can_extend(self) -> bool:
        return self.job.status != JobState.CANCELLED

    @property
    def figure_version(self) -> str:
        """Changes when another run has ended, and with it the figures."""
        ended = sum(run.status not in OPEN_RUN_STATES for run in self.runs)
        return f"{ended}-{self.report['n']}-{self.job.status}"

    @property
    def curve_version(self) -> str:
        """Changes with the curves, but while a run trains only once in some seconds."""
        if any(run.status == RunState.RUNNING for run in self.runs):
            return f"live-{int(time.time() // CURVE_INTERVAL_S)}"
        steps = sum(run.step for run in self.runs)
        return f"{steps}-{self.figure_version}"

    @property
    def announcement(self) -> str:
        """What is read aloud when it changes."""
        return f"{self.row.title}: {self.job.status.replace('_', ' ')}"


def _always(_shown: JobPage) -> bool:
    return True


@dataclass(frozen=True)
class Tab:
    """A tab of a job: ``TAB`` of a module in ``api.pages.job.tabs``."""

    slug: str
    """Last part of its path; empty for the first tab."""
    title: str
    order: int
    template: str
    build: Callable[[JobPage], dict[str, object]]
    """Reads what the template shows."""
    is_shown: Callable[[JobPage], bool] = _always
    """Whether the job has anything for the tab: there are no empty ones."""
    is_slow: bool = False
    """Whether it reads files, so that it waits for its turn."""

    def get_path(self, job_id: str) -> str:
        return f"/jobs/{job_id}/{self.slug}".rstrip("/")


@cache
def list_tabs() -> Sequence[Tab]:
    """List all tabs in order."""
    names = [found.name for found in pkgutil.iter_modules(tabs.__path__)]
    found: list[Tab] = [import_module(f"{tabs.__name__}.{name}").TAB for name in names]
    return sorted(found, key=lambda tab: tab.order)


def open_job(page: Page, job_id: str) -> JobPage:
    """Return the job. Raises JobNotFound."""
    return JobPage(page, get_job(page.services, job_id))


def render_tab(page: Page, job_id: str, tab: Tab, *, status: int = 200, **more: object) -> Response:
    """Render a tab of a job, with more variables than it builds. Raises JobNotFound."""
    shown = open_job(page, job_id)
    events, _ = list_events(page.services, job_id, PageRequest(None, 1))
    return page.render(
        tab.template,
        {**tab.build(shown), **more},
        status=status,
        shown=shown,
        current=tab,
        tabs=[one for one in list_tabs() if one.is_shown(shown)],
        last_event=events[0].id if events else None,
    )
