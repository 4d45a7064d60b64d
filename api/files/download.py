"""The content of a stored file as a download."""

import re
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from api.dependencies import AppServices
from shared.db.file_content import stream_content
from shared.db.files import Files
from shared.domain.errors import FileNotFound
from shared.infra.storage_errors import BlobMissing


def stream_file(services: AppServices, file_id: str) -> StreamingResponse:
    """Return the content of the file, byte for byte as uploaded. Raises FileNotFound."""
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    try:
        chunks = stream_content(services.storage, file)
    except BlobMissing:
        raise FileNotFound(
            f"The content of file {file_id} is missing from the storage; "
            f"{'upload it again' if file.folder is None else 'clone its job to train it again'}.",
            param="file_id",
        ) from None
    headers = {
        "content-length": str(file.bytes),
        "content-disposition": _format_content_disposition(file.filename),
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


def _format_content_disposition(filename: str) -> str:
    """Return the header of RFC 6266, with the name in ASCII and in UTF-8.

    Some clients, like curl, read only the older ASCII parameter.
    """
    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
