"""Alembic environment: migrates the engine that ``shared.db.migrate`` passes in or, from
Alembic's command line, the database at ``EVENKEEL_DATABASE_URL``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from sqlalchemy import Connection, Engine

from shared.db.session import make_engine
from shared.db.tables import Base
from shared.infra.settings import Settings


@contextmanager
def disable_foreign_keys(connection: Connection) -> Iterator[None]:
    """Switch SQLite's foreign keys off for the migration.

    SQLite alters a table by copying it and dropping the old one, which would delete every row
    that refers to it. The switch has no effect inside a transaction, so it bypasses SQLAlchemy.
    """
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
    with engine.connect() as connection, disable_foreign_keys(connection):
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
            ):  # of two migrations at once, the second waits and finds nothing to do
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4716)")
            context.run_migrations()


run()
