"""Queries belong to ``shared.db``: the API takes only sessions and exceptions from SQLAlchemy."""

import ast
from collections.abc import Iterator
from pathlib import Path

import api

ALLOWED = {
    "sqlalchemy.orm.Session",
    "sqlalchemy.exc.IntegrityError",
    "sqlalchemy.exc.OperationalError",
}


def iterate_imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_api_has_no_queries() -> None:
    folder = Path(api.__file__).parent
    found = {
        name
        for path in folder.rglob("*.py")
        for name in iterate_imports(path.read_text(encoding="utf-8"))
        if name.split(".")[0] == "sqlalchemy"
    }
    assert found == ALLOWED
