"""Requests of the client for uploads in parts."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import quote

import httpx

from cli.api_models import File, Upload, UploadPart
from cli.transport import Transport
from shared.timings import CLIENT_TIMEOUT_S

_UPLOADS_PATH: Final = "/v1/uploads"


class UploadClient(Transport):
    """A client that sends files in parts."""

    def upload_parts(self, filename: str, purpose: str, size: int, parts: Iterator[bytes]) -> File:
        """Upload the parts of a file; return it once the service has checked it.

        The upload is cancelled if a part cannot be sent, or the file is refused.
        """
        body = {
            "filename": filename,
            "purpose": purpose,
            "bytes": size,
            "mime_type": "application/zip",
        }
        upload = self._parse_response(Upload, self._send_request("POST", _UPLOADS_PATH, json=body))
        path = f"{_UPLOADS_PATH}/{quote(upload.id, safe='')}"
        with self._cancel_on_failure(path):
            part_ids = [self._send_part(path, part) for part in parts]
            done = self._send_request(
                "POST", f"{path}/complete", json={"part_ids": part_ids}, timeout=CLIENT_TIMEOUT_S
            )
            completed = self._parse_response(Upload, done)
            if completed.file is None:
                raise self._build_mismatch_error()
            return completed.file

    def _send_part(self, path: str, content: bytes) -> str:
        response = self._send_request("POST", f"{path}/parts", files={"data": ("part", content)})
        return self._parse_response(UploadPart, response).id

    @contextmanager
    def _cancel_on_failure(self, path: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(httpx.HTTPError):  # the first error is the one to report
                self._http.post(f"{path}/cancel")  # else its parts stay for an hour
            raise
