"""Size limits of request bodies, checked on the declared length and on the bytes received.

A larger body is answered with 413. The limit of the file in an upload is checked where the file is
received: ``api.files.service``, and ``api.uploads.service`` for a file sent in parts.
"""

import re

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from shared.domain.errors import InvalidRequest, PayloadTooLarge
from shared.infra.settings import Settings

_UPLOAD_PATH = re.compile(r"/v1/files/?|/v1/uploads/[^/]+/parts/?")
_MULTIPART_OVERHEAD_BYTES = 64 * 1024  # part headers and the small form fields beside the file


def get_body_limit(method: str, path: str, settings: Settings) -> int:
    """Return the maximum size of a request's body in bytes; uploads have a limit of their own."""
    if method == "POST" and _UPLOAD_PATH.fullmatch(path):
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

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self.limit:
            self.exceeded = True
            raise build_too_large_error(self.limit)
        return message

    async def read_all(self) -> bytes:
        chunks: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest(
                    "The connection was closed before the request body was complete."
                )
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(chunks)
