"""The steps of a new job."""

from tests.pages.rows import READ, SUBMIT, PageRow

ROWS = {
    "GET /new": PageRow(READ, is_shared=True),
    "POST /new": PageRow(SUBMIT, is_shared=True),
    "GET /new/{file_id}": PageRow(READ),
    "GET /new/{file_id}/preview": PageRow(READ),
    "GET /new/{file_id}/problems.csv": PageRow(READ),
    "GET /new/{file_id}/plan": PageRow(READ),
    "POST /new/{file_id}/start": PageRow(SUBMIT, {"settings": "model=tiny-bert"}),
}
