"""Engine and transactions, for SQLite and PostgreSQL alike.

``Database.write`` is one transaction: it commits when the block ends, and only then sends its
messages.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, Engine, create_engine, event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from shared.timings import SQLITE_WAIT_S

log = logging.getLogger(__name__)

Message = tuple[str, str]
"""Task name and id: a message carries nothing else."""


def make_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _make_sqlite_engine(url)
    return create_engine(
        url,
        hide_parameters=True,  # texts and labels do not belong in a log
        json_deserializer=_keep_text,
        pool_pre_ping=True,  # the first query after a server restart must not fail
        pool_size=5,
        max_overflow=15,
        connect_args={
            "connect_timeout": 5,
            "options": (
                "-c statement_timeout=30000 -c lock_timeout=10000 -c "
                "idle_in_transaction_session_timeout=60000"
            ),
        },
    )


def parse_driver(url: str) -> str | None:
    """Parse the database and its driver from a URL: ``postgresql+psycopg``. None if it is none."""
    try:
        return make_url(url).drivername
    except (ArgumentError, ValueError):
        return None


def find_database_file(url: str) -> Path | None:
    """Return the file of a SQLite database; None for a database server or one in memory."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (
        None,
        "",
        ":memory:",
    )
    return Path(str(parsed.database)) if is_file else None


def hide_password(url: str) -> str:
    """Return the address of a database for messages."""
    return make_url(url).render_as_string(hide_password=True)


def _keep_text(text: bytes) -> bytes:
    """Leave JSON to ``TypedJson``, which parses the text itself."""
    return text


def _make_sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": SQLITE_WAIT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = (
            None  # the driver must not begin transactions of its own; _on_begin does
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={int(SQLITE_WAIT_S * 1000)}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # a transaction that reads first and writes later would fail at once with "database is
        # locked" when another writer came between; taking the write lock at the start waits for
        # it instead
        read_only = connection.get_execution_options().get("evenkeel_read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class Database:
    """Source of transactions. ``notify`` sends the messages that a committed transaction left in
    its outbox, and returns False if it could not.
    """

    def __init__(self, url: str, notify: Callable[[Message], bool] | None = None) -> None:
        self.engine = make_engine(url)
        # SQLite's transactions read a snapshot by default
        snapshot = (
            {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        )
        self._read_engine = self.engine.execution_options(evenkeel_read_only=True, **snapshot)
        self._notify = notify

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a snapshot for reading; changes in it are discarded."""
        with Session(self._read_engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction: it commits at the end of the block and then sends its messages;
        it rolls back if the block raises.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            messages: list[Message] = session.info.pop("outbox", [])
        if self._notify is not None:
            for message in messages:
                if not self._notify(message):
                    # the broker is unavailable: trying each message in turn would only delay
                    # the caller
                    return

    def dispose(self) -> None:
        self.engine.dispose()


def notify_after_commit(session: Session, task: str, identifier: str) -> None:
    """Queue a message to be sent after the session's commit. If it is lost, the sweeper sends
    it again.
    """
    session.info.setdefault("outbox", []).append((task, identifier))


def updates_one_row(session: Session, statement: Any) -> bool:
    """Execute an UPDATE or DELETE; return whether its conditions held for exactly one row."""
    result = session.execute(statement)
    return isinstance(result, CursorResult) and result.rowcount == 1
