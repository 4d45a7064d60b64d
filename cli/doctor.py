"""``evenkeel doctor``: check a home, and mend what can be."""

from sqlalchemy.exc import DBAPIError

from cli.console import OutputConsole
from cli.database import require_database
from cli.errors import CliError
from shared.db.consistency import Finding, find_problems, mend_problems
from shared.db.migrate import get_current_revision, get_head_revision
from shared.db.references import build_blob_check
from shared.db.session import Database, hide_password
from shared.domain.wording import format_count
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_errors import StorageUnavailable
from shared.timings import GARBAGE_GRACE_S

EXIT_PROBLEMS = 1


def run_doctor(settings: Settings, *, mends: bool, checks_digests: bool) -> int:
    """Print what does not fit and what was mended; return 1 if a problem is left.

    Raises CliError if nothing can be checked.
    """
    found, mended = _check_home(settings, mends=mends, checks_digests=checks_digests)
    console = OutputConsole()
    for finding in found:
        note = " Mended." if finding in mended else ""
        console.print(
            f"{finding.problem}: {finding.message}{note}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    left = len(found) - len(mended)
    summary = f"{format_count(len(found), 'problem')} found, {len(mended)} mended."
    console.print(summary, markup=False, highlight=False)
    return EXIT_PROBLEMS if left else 0


def _check_home(
    settings: Settings, *, mends: bool, checks_digests: bool
) -> tuple[list[Finding], list[Finding]]:
    """Return the problems, and those of them that were mended."""
    url = settings.resolved_database_url
    require_database(url)
    database = Database(url)
    try:
        _require_current_version(database)
        storage = Storage(settings.resolved_storage_url, build_blob_check(database))
        found = find_problems(
            database, storage, checks_digests=checks_digests, grace_seconds=GARBAGE_GRACE_S
        )
        if not mends:
            return found, []
        return found, mend_problems(database, storage, found, grace_seconds=GARBAGE_GRACE_S)
    except DBAPIError as error:
        cause = str(error.orig).strip()
        raise CliError(f"Cannot read the database {hide_password(url)}: {cause}.") from error
    except StorageUnavailable as error:
        raise CliError(str(error)) from error
    finally:
        database.dispose()


def _require_current_version(database: Database) -> None:
    current, head = get_current_revision(database.engine), get_head_revision()
    if current != head:
        raise CliError(
            f"The database has revision {current or 'none'}, this version needs {head}. Run "
            "evenkeel db upgrade, or install the version that the database belongs to."
        )
