"""Size limits of request bodies, checked on the declared length and on the bytes received.

A larger body is answered with 413. The limit of the file in an upload is checked where the file is
received: ``api.files.service``, and ``api.uploads.service`` for a file sent in parts.
"""

import re
from collections.abc import Callable
from typing import IO, Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from shared.domain.errors import InvalidRequest, PayloadTooLarge
from shared.infra.settings import Settings

_UPLOAD_PATH = re.compile(r"/v1/files/?|/v1/uploads/[^/]+/parts/?|/new|/files")
_MULTIPART_OVERHEAD_BYTES = 64 * 1024  # part headers and the small form fields beside the file
MAX_FORM_FILES: Final = 2
MAX_FORM_FIELDS: Final = 16
MAX_FIELD_BYTES: Final = 64 * 1024
"""Limits of every form, of the API and of pages."""
MAX_BYTES_IN_MEMORY: Final = 64 * 1024
"""Of a body that is still coming; the rest waits in a temporary file."""


def is_upload(method: str, path: str) -> bool:
    """Whether the body of a request is a file or a part of one."""
    return method == "POST" and _UPLOAD_PATH.fullmatch(path) is not None


def get_body_limit(method: str, path: str, settings: Settings) -> int:
    """Return the maximum size of a request's body in bytes; uploads have a limit of their own."""
    if is_upload(method, path):
        return settings.max_upload_bytes + _MULTIPART_OVERHEAD_BYTES
    return settings.max_request_bytes


def check_content_length(headers: Headers, limit: int) -> None:
    """Raise PayloadTooLarge for a declared length above ``limit``."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > limit:
        raise build_too_large_error(limit)


def build_too_large_error(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request exceeds the limit of {limit:,} bytes.")


class LimitedBody:
    """A request's body that raises PayloadTooLarge once more than ``limit`` bytes have come."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._received_bytes = 0
        self.limit = limit
        self.exceeded = False
        self.on_end: Callable[[], None] | None = None
        """Called when the last byte has come, or the client has gone."""

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self.limit:
            self.exceeded = True
            raise build_too_large_error(self.limit)
        if self.on_end is not None and not message.get("more_body", False):
            self.on_end()
        return message

    async def receive_into(self, file: IO[bytes]) -> None:
        """Write all of the body to a file, and go back to its start."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest(
                    "The connection was closed before the request body was complete."
                )
            file.write(message.get("body", b""))
            if not message.get("more_body", False):
                break
        file.seek(0)

    @property
    def is_large(self) -> bool:
        """Whether more has been received than is kept in memory."""
        return self._received_bytes > MAX_BYTES_IN_MEMORY
