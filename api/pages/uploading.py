"""Files that are sent by a form of a page."""

from starlette.datastructures import FormData, UploadFile

from api.files import service as files
from api.pages.page import Page
from shared.db.tables import File
from shared.domain.errors import InvalidRequest


async def store_upload(page: Page, form: FormData, purpose: str = "fine-tune") -> File:
    """Check and store the file of the form. Raises InvalidRequest without one, and what the service
    refuses.
    """
    given = form.get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        raise InvalidRequest("No file was chosen. Pick one first.", param="file")
    filename = files.sanitize_filename(given.filename, param="file")
    details = files.FileDetails(filename, purpose)
    return await page.services.heavy.uploads.run(
        page.services.owner_id, files.create_file, page.services, given.file, details
    )
