"""ETags of cached responses, and empty 304 responses to callers that have the current one."""

import hashlib
from typing import Annotated

from fastapi import Header, Response

IfNoneMatchHeader = Annotated[
    str | None, Header(max_length=1000, description="`ETag` of an earlier response.")
]


def compute_etag(body: bytes) -> str:
    """Return the ETag of a response: it changes if and only if a byte does."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def is_not_modified(etag: str, if_none_match: str | None) -> bool:
    """Return whether the header's tags (RFC 9110, 13.1.2) match the current one.

    They are compared weakly, because a proxy may have weakened the ETag.
    """
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def add_etag(response: Response, etag: str, if_none_match: str | None) -> Response:
    """Return the response with its ETag, or the empty 304 in its place.

    Only the caller's own cache may keep it, and has to ask each time whether it is current.
    """
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if is_not_modified(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
