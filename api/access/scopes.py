"""The scope of a key that a request needs, by its method and path."""

import re

from shared.domain.api_keys import Scope

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_POSTS = re.compile(r"/v1/classifications|/v1/files/[^/]+/validate")
"""Operations that compute a response and store nothing, though they are POST requests."""


def get_needed_scope(method: str, path: str) -> Scope:
    """Return the smallest scope that a key must have for the request.

    No operation is closed to a key that may submit; ``GET /v1/queue`` tells an administrator more.
    """
    if method in _READING_METHODS or (method == "POST" and _READING_POSTS.fullmatch(path)):
        return Scope.READ
    return Scope.SUBMIT
