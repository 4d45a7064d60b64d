"""``evenkeel keys``: create, list and revoke API keys in the database, without a service."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from cli.console import print_text
from cli.data_dir import PRIVATE_MODE, explain_unusable_folder
from cli.database import require_database, upgrade_database
from cli.errors import CliError
from cli.rows import Column, Kind, RowTable
from cli.settings import read_settings
from cli.times import format_time
from shared.db.api_keys import ApiKeys, KeyRefused
from shared.db.session import Database
from shared.db.tables import ApiKey
from shared.domain.api_keys import NAME_RULE, Scope, is_valid_name
from shared.infra.private_files import keep_files_private

_LIFETIME_FORM = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNIT_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
LIFETIME_EXAMPLES = "12h, 90d, 4w"


def create_key(
    console: Console,
    home: Path | None,
    name: str,
    *,
    scope: Scope,
    expires: str | None,
    owner: str | None,
) -> None:
    """Create a key and print it to the standard output; ``console`` gets everything else."""
    for option, value in (("NAME", name), ("--owner", owner)):
        if value is not None and not is_valid_name(value):
            raise CliError(f"{option} must have {NAME_RULE}.")
    lifetime = None if expires is None else parse_lifetime(expires)
    with open_keys(home, creates=True) as keys:
        new = keys.create_key(name, scope, owner_id=owner, lifetime_seconds=lifetime)
    ends = "" if new.row.expires_at is None else f", valid until {format_time(new.row.expires_at)}"
    console.print(f"Key {name} of owner {new.row.owner_id} with scope {scope}{ends}.")
    console.print("It is shown only now; clients send it as EVENKEEL_API_KEY or api_key:")
    print_text(new.key)


def list_keys(console: Console, home: Path | None) -> None:
    """Print a table of all keys."""
    with open_keys(home) as keys:
        rows = keys.list_keys()
        usable_ids = {
            record.id for record in keys.list_records() if not (record.revoked or record.expired)
        }
    if not rows:
        console.print("There are no keys. Create one: evenkeel keys create NAME")
        return
    table = RowTable(
        Column("name", Kind.ID), "owner", "prefix", "scope", "state", "created", "last used"
    )
    for row in rows:
        used = "never" if row.last_used_at is None else format_time(row.last_used_at)
        state = _describe_state(row, is_usable=row.id in usable_ids)
        created = format_time(row.created_at)
        table.add_row(row.name, row.owner_id, row.prefix, row.scope, state, created, used)
    console.print(table)


def revoke_key(console: Console, home: Path | None, text: str) -> None:
    """Revoke the key with this name, ID or prefix, or an unambiguous beginning of one."""
    with open_keys(home) as keys:
        row = keys.revoke_key(text)
    console.print(
        f"Key {row.name} ({row.prefix}) is revoked; the service refuses it within 2 seconds."
    )


def parse_lifetime(text: str) -> float:
    """Return the seconds in a text such as ``90d``. Raises CliError."""
    match = _LIFETIME_FORM.fullmatch(text)
    if match is None:
        raise CliError(f"--expires must be a number of hours, days or weeks: {LIFETIME_EXAMPLES}.")
    return float(int(match[1]) * _UNIT_SECONDS[match[2]])


@contextmanager
def open_keys(home: Path | None, *, creates: bool = False) -> Iterator[ApiKeys]:
    """Open the keys of a data folder, or of the database in the environment, in a transaction.

    With ``creates`` a missing data folder and database are made, so that the first key can be
    created before the service runs. Raises CliError.
    """
    own = {} if home is None else {"home": home.expanduser().absolute(), "database_url": ""}
    settings = read_settings(**own)
    keep_files_private()
    if not creates:
        require_database(settings.resolved_database_url)
    elif not settings.database_url:
        with explain_unusable_folder(settings.home):
            settings.home.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    upgrade_database(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    try:
        with database.write() as session:
            yield ApiKeys(session)
    except KeyRefused as error:
        raise CliError(str(error)) from error
    finally:
        database.dispose()


def _describe_state(row: ApiKey, *, is_usable: bool) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if not is_usable:
        return "expired"
    return "valid" if row.expires_at is None else f"valid until {format_time(row.expires_at)}"
