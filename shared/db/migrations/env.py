"""Alembic's entry: runs the migrations over the engine that ``shared.db.migrate`` hands in, or, from alembic's own command line,
over ``EVENKEEL_DATABASE_URL``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from sqlalchemy import Connection, Engine

from shared.db.session import make_engine
from shared.db.tables import Base
from shared.infra.settings import Settings


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by making it anew and dropping the old one, and with the keys on that would delete every row that
    refers to it. The switch has no effect inside a transaction, so it goes past SQLAlchemy, which would begin one."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF").close()
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON").close()


def run() -> None:
    engine: Engine = context.config.attributes.get("engine") or make_engine(
        Settings().resolved_database_url
    )
    with engine.connect() as connection, foreign_keys_off(connection):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,  # SQLite cannot alter tables in place
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            if (
                connection.dialect.name == "postgresql"
            ):  # two migrations at once: the second waits and finds nothing to do
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4716)")
            context.run_migrations()


run()
