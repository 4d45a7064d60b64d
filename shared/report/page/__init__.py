"""The report as a page and as a picture, for one job or several side by side."""

from shared.report.page.render import render_report, render_summary_png
from shared.report.page.section import JobSection

__all__ = ["JobSection", "render_report", "render_summary_png"]
