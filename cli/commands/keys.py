"""Commands about API keys: ``evenkeel keys``. They use the database, not the service."""

from pathlib import Path
from typing import Annotated

import typer

from cli.help import CommandGroup, ListingGroup
from shared.domain.api_keys import Scope

app = CommandGroup(
    cls=ListingGroup,
    help="Create, list or revoke API keys, in the database of this machine's service.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

KeysHome = Annotated[
    Path | None,
    typer.Option(
        "--home",
        file_okay=False,
        help="Data folder of the service.",
        show_default="EVENKEEL_DATABASE_URL, or EVENKEEL_HOME",
    ),
]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the key.")],
    scope: Annotated[
        Scope,
        typer.Option(help="What the key may do: read, submit (and read), or admin (and submit)."),
    ] = Scope.SUBMIT,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Lifetime, such as 12h, 90d or 4w.", show_default="unlimited"
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            help="Owner whose files, jobs and models the key gives access to; `local` owns those "
            "of the time before keys.",
            show_default="a new owner with the key's name",
        ),
    ] = None,
    home: KeysHome = None,
) -> None:
    """Create an API key and print it, which is the only time that it is shown.

    From the first key on, the service requires one. Keys of one owner see the same things; keys of
    different owners see nothing of each other.
    """
    from cli.keys import create_key
    from cli.tables import make_console

    create_key(make_console(stderr=True), home, name, scope=scope, expires=expires, owner=owner)


@app.command("list")
def list_all(home: KeysHome = None) -> None:
    """List all keys, also revoked ones; `evenkeel keys` does the same."""
    from cli.keys import list_keys
    from cli.tables import make_console

    list_keys(make_console(), home)


@app.command("revoke")
def revoke(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Name, ID or prefix (ek_…) of the key.")
    ],
    home: KeysHome = None,
) -> None:
    """Revoke an API key; every process of the service refuses it within 2 seconds."""
    from cli.keys import revoke_key
    from cli.tables import make_console

    revoke_key(make_console(stderr=True), home, key)
