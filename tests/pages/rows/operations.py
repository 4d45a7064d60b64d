"""The queue, and usage."""

from tests.pages.rows import READ, PageRow

ROWS = {
    "GET /queue": PageRow(READ, is_shared=True),
    "GET /usage": PageRow(READ, is_shared=True),
}
