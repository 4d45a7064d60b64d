"""The first tab: the report of the job, with its tables at once and its figures as they come."""

from api.pages.job.figures import list_pictures
from api.pages.job.page import JobPage, Tab
from api.reports.service import get_section
from shared.report.page.render import build_report_context


def build(shown: JobPage) -> dict[str, object]:
    section = get_section(shown.page.services, shown.job.id)
    pictures = list_pictures(shown.path, shown.figure_version, section)
    # the head of the page has the strip of the scores
    context = build_report_context([section], None, pictures | {"scores": []})
    return {**context, "strip": pictures["scores"]}


TAB = Tab("", "Report", 10, "job/report.html.j2", build)
