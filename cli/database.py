"""The database as far as the command line sees it: bringing it to this version's tables."""

from sqlalchemy.exc import ArgumentError, DBAPIError

from cli.errors import CliError
from shared.db.migrate import DatabaseTooNew, apply_migrations
from shared.db.session import hide_password


def upgrade_database(url: str) -> None:
    """Migrate; raises CliError for a database that is newer than this version, not there, or
    none at all.
    """
    try:
        apply_migrations(url)
    except DatabaseTooNew as error:
        raise CliError(error.message) from error
    except ArgumentError as error:
        raise CliError(
            "EVENKEEL_DATABASE_URL is not understood; SQLite is sqlite:////folder/evenkeel.db."
        ) from error
    except DBAPIError as error:
        where = hide_password(url)
        raise CliError(
            f"The database {where} cannot be used: {str(error.orig).strip()}."
        ) from error
