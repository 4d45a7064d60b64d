"""Queries belong to ``shared.db``: other code takes only sessions and exceptions of SQLAlchemy."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUERIES = ROOT / "shared" / "db"


def iterate_imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", ["api", "worker", "cli", "shared"])
def test_a_package_has_no_queries(package: str) -> None:
    found = {
        name
        for path in (ROOT / package).rglob("*.py")
        if not path.is_relative_to(QUERIES)
        for name in iterate_imports(path.read_text(encoding="utf-8"))
        if name.split(".")[0] == "sqlalchemy"
    }
    is_allowed = {name for name in found if name.startswith("sqlalchemy.exc.")}
    assert found - is_allowed <= {"sqlalchemy.orm.Session"}
