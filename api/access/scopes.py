"""The scope of a key that a request needs, by its method and path."""

import re

from api.access.page_paths import SIGN_IN_PATH, SIGN_OUT_PATH, is_page_path
from shared.domain.api_keys import Scope

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_POSTS = re.compile(r"/v1/classifications|/v1/files/[^/]+/validate")
_READING_FORMS = re.compile(r"/jobs/[^/]+/model")
"""Operations and forms of pages that compute a response and store nothing, though they are POST
requests."""


def get_needed_scope(method: str, path: str) -> Scope:
    """Return the smallest scope that a key must have for the request.

    No operation is closed to a key that may submit; ``GET /v1/queue`` tells an administrator more.
    """
    if is_page_path(path):
        is_open = method in _READING_METHODS or path in (SIGN_IN_PATH, SIGN_OUT_PATH)
        is_reading = method == "POST" and _READING_FORMS.fullmatch(path) is not None
        return Scope.READ if is_open or is_reading else Scope.SUBMIT
    if method in _READING_METHODS or (method == "POST" and _READING_POSTS.fullmatch(path)):
        return Scope.READ
    return Scope.SUBMIT
