"""Recording of the SQL statements that an engine sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, event


class Statement(NamedTuple):
    """A statement as sent to the database."""

    sql: str
    """SQL with the driver's placeholders."""
    parameters: Any


@contextmanager
def record_statements(engine: Engine) -> Iterator[list[Statement]]:
    """Yield a list to which the block's statements are added as they are sent.

    Statements that begin or end a transaction are not recorded.
    """
    statements: list[Statement] = []

    def add_statement(
        _connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        if not sql.startswith("BEGIN"):  # SQLite's own; other drivers do not show it
            statements.append(Statement(sql, parameters))

    event.listen(engine, "before_cursor_execute", add_statement)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", add_statement)
