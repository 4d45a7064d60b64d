"""The SQL statements that an engine is sent while a block runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, event


class Statement(NamedTuple):
    sql: str
    """With the driver's placeholders."""
    parameters: Any


@contextmanager
def record_statements(engine: Engine) -> Iterator[list[Statement]]:
    """Yields a list that they are added to as they are sent; the beginning and the end of a
    transaction are none of them.
    """
    made: list[Statement] = []

    def add_statement(
        _connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        if not sql.startswith("BEGIN"):  # of SQLite; other drivers begin by themselves
            made.append(Statement(sql, parameters))

    event.listen(engine, "before_cursor_execute", add_statement)
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", add_statement)
