"""The models."""

from tests.pages.rows import READ, SUBMIT, PageRow

ROWS = {
    "GET /models": PageRow(READ, is_shared=True),
    "GET /models/delete": PageRow(READ, query="model={model}"),
    "POST /models/delete": PageRow(SUBMIT, {"model": "{model}"}),
}
