"""Commands about the files that the service stores: ``evenkeel files``."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options as option
from cli.commands.common import confirm_deletion, create_client
from cli.console import print_text
from cli.help import CommandGroup, ListingGroup

app = CommandGroup(
    cls=ListingGroup,
    help="List, show, download or delete the files that the service stores.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_files(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of files.")] = 20,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """List files, newest first; `evenkeel files` does the same."""
    from cli.stored_files import format_files
    from cli.tables import make_console

    with create_client(url) as client:
        make_console().print(format_files(client.list_file_page(limit).data))


@app.command("show")
def show_file(file: option.FileId, url: option.Url = option.DEFAULT_URL) -> None:
    """Show a file's size, and the rows and problems that the service found in it."""
    from cli.identifiers import resolve_file_id
    from cli.stored_files import show_file as print_file

    with create_client(url) as client:
        print_file(client, resolve_file_id(client, file))


@app.command("download")
def download_file(
    file: option.FileId,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH", help="New file, or a folder for it.", show_default="the file's own name"
        ),
    ] = None,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Download a file, byte for byte as it was uploaded or made."""
    from cli.identifiers import resolve_file_id
    from cli.stored_files import download_file as write_file

    with create_client(url) as client:
        write_file(client, resolve_file_id(client, file), path)


@app.command("delete")
def delete_files(
    files: option.FileIds,
    yes: option.Confirmed = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Delete files; one that an open job needs is refused."""
    from cli.identifiers import resolve_file_id

    with create_client(url) as client:
        file_ids = [resolve_file_id(client, file) for file in files]
        if not yes:
            confirm_deletion(f"Delete {', '.join(file_ids)}?")
        for file_id in file_ids:
            client.delete_file(file_id)
            print_text(f"{file_id}: deleted")
