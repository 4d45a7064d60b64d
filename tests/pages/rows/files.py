"""The stored files."""

from tests.pages.rows import READ, SUBMIT, PageRow

ROWS = {
    "GET /files": PageRow(READ, is_shared=True),
    "POST /files": PageRow(SUBMIT, is_shared=True),
    "GET /files/{file_id}": PageRow(READ),
    "GET /files/{file_id}/content": PageRow(READ),
    "GET /files/{file_id}/delete": PageRow(READ),
    "POST /files/{file_id}/delete": PageRow(SUBMIT),
}
