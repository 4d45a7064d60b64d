"""Migration of the database to this version's tables."""

from sqlalchemy.exc import DBAPIError

from cli.errors import CliError
from shared.db.migrate import DatabaseTooNew, apply_migrations
from shared.db.session import find_database_file, hide_password


def require_database(url: str) -> None:
    """Raise CliError if the database is a file that does not exist, which opening would make."""
    path = find_database_file(url)
    if path is not None and not path.exists():
        raise CliError(
            f"There is no database {path}. Name the service's data folder with --home, or set "
            "EVENKEEL_DATABASE_URL."
        )


def upgrade_database(url: str) -> None:
    """Apply the migrations that are missing.

    Raises CliError if the database cannot be opened, or belongs to a newer version.
    """
    try:
        apply_migrations(url)
    except DatabaseTooNew as error:
        raise CliError(error.message) from error
    except DBAPIError as error:
        where = hide_password(url)
        raise CliError(f"Cannot open the database {where}: {str(error.orig).strip()}.") from error
