"""``evenkeel files``: the files that the service stores, uploaded or made by jobs."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.markup import escape

from cli.api_models import File
from cli.client import Client
from cli.errors import CliError
from cli.file_findings import format_file
from cli.output_files import write_output
from cli.rows import Column, Kind, RowTable
from cli.tables import make_console
from cli.times import format_time
from shared.domain.wording import format_size

_KINDS = {"fine-tune-results": "result", "model": "model"}
"""What a table calls files that are not data sets."""


def format_files(files: Sequence[File]) -> RowTable:
    table = RowTable(
        Column("file", Kind.ID), "created", "size", "kind", Column("name", Kind.SENTENCE)
    )
    for file in files:
        kind = _KINDS.get(file.purpose, "data")
        created = format_time(file.created_at)
        table.add_row(file.id, created, format_size(file.bytes), kind, file.filename)
    return table


def show_file(client: Client, file_id: str) -> None:
    """Print a file's name, size, times and what the service found in it."""
    file = client.get_file(file_id)
    console = make_console()
    expiry = f", deleted after {format_time(file.expires_at)}" if file.expires_at else ""
    facts = f"{format_size(file.bytes)}, created {format_time(file.created_at)}{expiry}"
    console.print(_escape_lines(f"{file.id}: {file.filename}", facts))
    if file.status_details or file.profile:
        console.print(format_file(file))


def download_file(client: Client, file_id: str, path: Path | None) -> None:
    """Write a file's content to ``path``, or under its own name to the current folder."""
    target = path or Path(Path(client.get_file(file_id).filename).name)
    if target.is_dir():
        target /= Path(client.get_file(file_id).filename).name
    if target.is_file():
        raise CliError(f"{target} already exists. Choose another path.")
    with client.stream_file_content(file_id) as chunks:
        write_output(target, chunks)
    make_console(stderr=True).print(f"{file_id} is in {target}", markup=False)


def _escape_lines(*lines: str) -> RenderableType:
    return "\n".join(map(escape, lines))
