"""An audit of the moves between states, written by the database itself, whoever makes them."""

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Engine, text

from shared.domain.moves import JOB_MOVES, RETRY_RUN, RUN_MOVES
from shared.domain.states import ENDED_RUN_STATES

_TABLE = """
CREATE TABLE moves_audit (
    seq INTEGER PRIMARY KEY {autoincrement}, kind TEXT NOT NULL, id TEXT NOT NULL,
    source TEXT NOT NULL, target TEXT NOT NULL)
"""
_SQLITE_TRIGGER = """
CREATE TRIGGER audit_{table} AFTER UPDATE OF status ON {table} WHEN OLD.status <> NEW.status
BEGIN
    INSERT INTO moves_audit (kind, id, source, target)
    VALUES ('{table}', NEW.id, OLD.status, NEW.status);
END
"""
_POSTGRESQL_FUNCTION = """
CREATE FUNCTION audit_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO moves_audit (kind, id, source, target)
    VALUES (TG_TABLE_NAME, NEW.id, OLD.status, NEW.status);
    RETURN NULL;
END $$
"""
_POSTGRESQL_TRIGGER = """
CREATE TRIGGER audit_{table} AFTER UPDATE OF status ON {table} FOR EACH ROW
WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION audit_move()
"""


class AuditedMove(NamedTuple):
    kind: str
    """``runs`` or ``jobs``."""
    id: str
    source: str
    target: str


def install_audit(engine: Engine) -> None:
    """Let the database record every change of a state from now on."""
    is_sqlite = engine.dialect.name == "sqlite"
    autoincrement = "AUTOINCREMENT" if is_sqlite else "GENERATED ALWAYS AS IDENTITY"
    with engine.begin() as connection:
        connection.execute(text(_TABLE.format(autoincrement=autoincrement)))
        if not is_sqlite:
            connection.execute(text(_POSTGRESQL_FUNCTION))
        trigger = _SQLITE_TRIGGER if is_sqlite else _POSTGRESQL_TRIGGER
        for table in ("runs", "jobs"):
            connection.exec_driver_sql(trigger.format(table=table))


def list_audited_moves(engine: Engine) -> list[AuditedMove]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT kind, id, source, target FROM moves_audit ORDER BY seq")
        )
        return [AuditedMove(*row) for row in rows]


def find_illegal_moves(moves: list[AuditedMove]) -> list[AuditedMove]:
    """Return the moves that are in no table, and the endings of a run that had ended already."""
    legal = {
        ("runs", source, target)
        for move in RUN_MOVES
        for source in move.sources
        for target in move.targets
    } | {
        ("jobs", source, target)
        for move in JOB_MOVES
        for source in move.sources
        for target in move.targets
    }
    unknown = [move for move in moves if (move.kind, move.source, move.target) not in legal]
    return unknown + _find_second_endings(moves)


def _find_second_endings(moves: list[AuditedMove]) -> list[AuditedMove]:
    allowed: Counter[str] = Counter()
    doubled = []
    for move in (move for move in moves if move.kind == "runs"):
        if move.source in RETRY_RUN.sources and move.target in RETRY_RUN.targets:
            allowed[move.id] += 1
        if move.target in ENDED_RUN_STATES:
            if allowed[move.id] < 0:
                doubled.append(move)
            allowed[move.id] -= 1
    return doubled
