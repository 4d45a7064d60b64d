"""Which URL paths belong to pages, where a browser's session counts instead of a key."""

from typing import Final

SIGN_IN_PATH: Final = "/sign-in"
SIGN_OUT_PATH: Final = "/sign-out"
FIRST_SEGMENTS: Final = frozenset(
    {"", "jobs", "new", "compare", "files", "models", "queue", "usage", "sign-in", "sign-out"}
)
"""First segments of the pages' paths; the empty one is the root's."""


def is_page_path(path: str) -> bool:
    """Return whether the path is a page's, whether or not there is such a page."""
    return path.split("/", maxsplit=2)[1] in FIRST_SEGMENTS if path.startswith("/") else False


def is_local_path(path: str) -> bool:
    """Return whether a path that the client gave leads to a page of this service.

    A browser would take ``//name`` and ``/\\name`` for other hosts.
    """
    is_plain = path.isprintable() and "\\" not in path and not path.startswith("//")
    return is_plain and is_page_path(path.partition("?")[0])
