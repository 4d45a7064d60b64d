"""Compared jobs."""

from tests.pages.rows import READ, PageRow

BOTH = "job={job_id}&job={other_job_id}"

ROWS = {
    "GET /compare": PageRow(READ, query=BOTH),
    "GET /compare/figures/{section}/{index}/{theme}.svg": PageRow(READ, query=BOTH),
}
