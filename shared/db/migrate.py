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


def apply_migrations(url: str) -> None:
    """Apply the missing migrations, in one transaction where the database allows it. Raises
    DatabaseTooNew.
    """
    engine = make_engine(url)
    try:
        _check_not_newer(engine)
        command.upgrade(build_config(engine), "head")
    finally:
        engine.dispose()


def get_head_revision() -> str:
    head = _load_scripts().get_current_head()
    assert head is not None, "there is at least one migration"
    return head


def get_current_revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def build_config(engine: Engine | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.attributes["engine"] = engine
    return configuration


def _load_scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(build_config())


def _check_not_newer(engine: Engine) -> None:
    current = get_current_revision(engine)
    known = {script.revision for script in _load_scripts().walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"The database has revision {current} of a newer Evenkeel; this version supports "
            f"revisions up to {get_head_revision()}. Install the newer version, or use another "
            "data folder or database."
        )


def _check_migrations() -> int:
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/check.db")
        try:
            command.upgrade(build_config(engine), "head")
            command.check(build_config(engine))
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
    sys.exit(_check_migrations())
