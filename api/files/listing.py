"""Read and list stored files."""

from collections.abc import Sequence
from contextlib import suppress

from api.dependencies import AppServices
from api.files.schemas import FileObject
from shared.db.files import Files
from shared.db.pagination import PageRequest
from shared.domain.errors import FileNotFound


def get_file(services: AppServices, file_id: str) -> FileObject:
    """Return a file with its profile. Raises FileNotFound."""
    with services.database.read() as session:
        return FileObject.from_row(Files(session, services.owner_id).get(file_id, param="file_id"))


def list_files(
    services: AppServices, page: PageRequest, purpose: str | None
) -> tuple[list[FileObject], bool]:
    """Return a page of files without their profiles, and whether more follow."""
    with services.database.read() as session:
        files, has_more = Files(session, services.owner_id).list_page(page, purpose)
        return [FileObject.from_row(file, with_profile=False) for file in files], has_more


def list_existing_files(services: AppServices, file_ids: Sequence[str | None]) -> list[FileObject]:
    """List those of the files that still exist, each once, in this order."""
    found = []
    with services.database.read() as session:
        files = Files(session, services.owner_id)
        for file_id in dict.fromkeys(file_ids):
            with suppress(FileNotFound):
                if file_id is not None:
                    found.append(FileObject.from_row(files.get(file_id)))
    return found
