"""Files that commands write: whole or not at all, with failures that name the file."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.errors import CliError


def write_output(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file in a new one beside it, which takes its place when it is complete.

    A device or a pipe is written directly. Raises CliError if the file cannot be written.
    """
    is_special = path.exists() and not path.is_file()
    unfinished = path.with_name(f".{path.name[:100]}-{secrets.token_hex(4)}")
    with name_in_errors(path):
        try:
            with (path if is_special else unfinished).open("wb") as stream:
                stream.writelines(chunks)
            if not is_special:
                unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def name_in_errors(path: Path) -> Iterator[None]:
    """Raise CliError, with the name of what could not be written, for an OSError."""
    try:
        yield
    except OSError as error:
        raise CliError(
            f"Cannot write {path} ({error.strerror or error}). Check the folder, its permissions "
            "and the free space."
        ) from error
