"""The tab of the events, newest first."""

from api.jobs.service import list_events
from api.pages.job.page import JobPage, Tab
from shared.db.pagination import PageRequest

PAGE_SIZE = 100


def build(shown: JobPage) -> dict[str, object]:
    page = PageRequest(shown.page.query.get("after"), PAGE_SIZE)
    events, has_more = list_events(shown.page.services, shown.job.id, page)
    return {"events": events, "older": events[-1].id if has_more else None}


TAB = Tab("events", "Events", 70, "job/events.html.j2", build)
