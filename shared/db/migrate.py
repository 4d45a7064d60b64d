"""Migration of a database to this version's tables.

``python -m shared.db.migrate --check`` verifies on an empty SQLite database that the migrations
produce exactly the tables of ``tables``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine

from shared.db.session import make_engine
from shared.domain.errors import ServiceError


class DatabaseTooNew(ServiceError):
    """The database was created by a newer version; an older one could lose data."""


def upgrade(url: str) -> None:
    """Apply the missing migrations, in one transaction where the database allows it. Raises
    DatabaseTooNew.
    """
    engine = make_engine(url)
    try:
        _refuse_newer(engine)
        command.upgrade(config(engine), "head")
    finally:
        engine.dispose()


def head_revision() -> str:
    head = _scripts().get_current_head()
    assert head is not None, "there is at least one migration"
    return head


def current_revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def config(engine: Engine | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.attributes["engine"] = engine
    return configuration


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(config())


def _refuse_newer(engine: Engine) -> None:
    current = current_revision(engine)
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"The database is at revision {current}, which this version does not know (it "
            f"knows up to {head_revision()}): "
            "it was made by a newer Evenkeel. Install that version, or use another home or "
            "database."
        )


def _check() -> int:
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/check.db")
        try:
            command.upgrade(config(engine), "head")
            command.check(config(engine))
        except CommandError as error:
            sys.stderr.write(
                f"The migrations do not make the tables of shared/db/tables: {error}\n"
            )
            return 1
        finally:
            engine.dispose()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", required=True)
    parser.parse_args()
    sys.exit(_check())
