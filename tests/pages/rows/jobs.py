"""The list of jobs, and the root that leads to it."""

from tests.pages.rows import READ, SUBMIT, PageRow

ROWS = {
    "GET /": PageRow(None, is_shared=True),
    "HEAD /": PageRow(None, is_shared=True),
    "GET /jobs": PageRow(READ, is_shared=True),
    "POST /jobs/sample": PageRow(SUBMIT, is_shared=True),
}
