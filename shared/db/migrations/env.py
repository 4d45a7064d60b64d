"""Alembic's entry: runs the migrations over the engine that ``shared.db.migrate`` hands in, or, from alembic's own command line,
over ``EVENKEEL_DATABASE_URL``."""

from alembic import context
from sqlalchemy import Engine

from shared.db.session import make_engine
from shared.db.tables import Base
from shared.settings import Settings


def run() -> None:
    engine: Engine = context.config.attributes.get("engine") or make_engine(Settings().resolved_database_url)
    with engine.connect() as connection:
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
