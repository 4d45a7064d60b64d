"""Sign-in, sign-out, and the files that every page loads."""

from tests.pages.rows import PageRow

ROWS = {
    "GET /sign-in": PageRow(None, is_shared=True),
    "POST /sign-in": PageRow(None, {"key": "wrong"}, is_shared=True),
    "POST /sign-out": PageRow(None, is_shared=True),
    "GET /assets/{digest}/{name}": PageRow(None, is_shared=True),
}
