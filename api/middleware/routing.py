"""Whether a request has an operation, known before its body is read."""

from typing import Final

from starlette.routing import Match
from starlette.types import Scope

MAX_KNOWN_PATHS: Final = 1000
MAX_KNOWN_PATH_CHARACTERS: Final = 200
"""Of a remembered path, which a client may make as long as a request head."""


class ServedPaths:
    """Finds out whether an operation has a path and method; remembers those that have one."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def is_served(self, scope: Scope) -> bool:
        """Whether an operation has the path and the method of the request."""
        key = scope["method"], scope["path"]
        if key in self._known:
            return True
        routes = scope["app"].router.routes
        if not any(route.matches(scope)[0] is Match.FULL for route in routes):
            return False
        if len(scope["path"]) <= MAX_KNOWN_PATH_CHARACTERS:
            if len(self._known) >= MAX_KNOWN_PATHS:
                self._known.clear()
            self._known.add(key)
        return True
