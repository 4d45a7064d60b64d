"""The bytes of a response that the server sends without the application."""

import json
from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from shared.domain.errors import ServiceError


def build_refusal(error: ServiceError, default_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the error as an HTTP response, after which the connection is closed."""
    body = json.dumps(error.to_body()).encode()
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[error.status], *lines, b"\r\n", body])
