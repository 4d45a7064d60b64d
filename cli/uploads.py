"""Files that are uploaded for one request, and deleted again unless a job keeps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from cli.api_models import File
from cli.client import Client
from cli.errors import CliError, RequestRefused
from cli.file_findings import format_upload
from cli.interrupts import defer_interrupt, format_continuing_job

FILE_IN_USE = "file_in_use"
JOBS_SEARCHED = 20  # newest jobs among which one whose creation was not confirmed is looked for


class _StoredFile(NamedTuple):
    id: str
    name: str


class Uploads:
    """The uploaded files and what the service made of them; those of a job stay."""

    def __init__(self, client: Client, console: Console) -> None:
        self.files: list[File] = []
        self.are_kept = False
        self._stored: list[_StoredFile] = []
        self._client = client
        self._console = console

    def add(self, path: Path, *, is_shown: bool = True) -> File:
        """Upload a file, and print what the service found in it."""
        with defer_interrupt():  # a stored file whose id is unknown could not be deleted
            file = self._client.upload_file(path)
            self.files.append(file)
            self._stored.append(_StoredFile(file.id, file.filename))
        if is_shown:
            self._console.print(format_upload(file))
        return file

    def add_result(self, file_id: str, name: str) -> None:
        """Add a file that the service has made of the uploaded ones."""
        self._stored.append(_StoredFile(file_id, name))

    def delete(self) -> None:
        """Delete the files; print which ones stay, and why.

        A connection may break after the service has created the job. Only the service knows, and
        then it refuses to delete the job's files.
        """
        for file in reversed(self._stored):
            try:
                self._client.delete_file(file.id)
            except CliError as error:
                if isinstance(error, RequestRefused) and error.code == FILE_IN_USE:
                    self._print_job()
                    return
                self._print_lines(f"{file.name} stays on the service as {file.id}: {error}")

    def _print_job(self) -> None:
        """Print the job that the service has created of the files."""
        ids = {file.id for file in self._stored}
        job = next(
            (job for job in self._client.list_jobs(JOBS_SEARCHED) if job.training_file in ids), None
        )
        if job is None:
            self._print_lines("The files stay on the service: a job uses them.")
            return
        self._print_lines(
            f"The service has created job {job.id}.", format_continuing_job(self._client, job.id)
        )

    def _print_lines(self, *lines: str) -> None:
        self._console.print("\n".join(map(escape, lines)), soft_wrap=True)


@contextmanager
def upload_temporarily(client: Client, console: Console) -> Iterator[Uploads]:
    """Provide uploads that are deleted at the end, whatever happens, unless they are kept."""
    uploads = Uploads(client, console)
    try:
        yield uploads
    finally:
        if not uploads.are_kept:
            with defer_interrupt():
                uploads.delete()
