"""Sessions of browsers: a sealed cookie that names the key with which somebody signed in.

The cookie holds no key, only the key's prefix and digest, encrypted with the installation's secret
key. Nothing is stored on the server: a session ends with its key, at sign-out, or after
``LIFETIME_S``.
"""

import json
import time
from functools import cached_property
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from shared.infra.secret_box import SecretBox, SecretUnreadable
from shared.infra.settings import Settings

LIFETIME_S: Final = 12 * 3600
ENVIRONMENT_KEY_NAME: Final = "environment"
_KIND: Final = "browser session"  # secrets of other kinds are sealed with the same key


class Session(NamedTuple):
    """Which key a browser has signed in with."""

    key_name: str
    """Prefix of the key; ``environment`` for the administrator's."""
    digest: str
    """Digest of the key."""


class BrowserSessions:
    """Seals and reads the cookies of sessions."""

    def __init__(self, settings: Settings) -> None:
        self._box = SecretBox(settings)

    @cached_property
    def cookie_name(self) -> str:
        """Name of the cookie. Browsers send cookies to every port of a host, so the name differs
        between installations.
        """
        return f"evenkeel_session_{self._box.key_id[:8]}"

    def seal(self, session: Session) -> str:
        """Return the cookie's value for a session that begins now."""
        until = time.time() + LIFETIME_S
        return self._box.seal(json.dumps([_KIND, session.key_name, session.digest, until]))

    def find(self, headers: Headers) -> Session | None:
        """Return the session of a request; None without a valid one."""
        sealed = read_cookies(headers).get(self.cookie_name)
        if sealed is None:
            return None
        try:
            content = json.loads(self._box.unseal(sealed))
        except (SecretUnreadable, ValueError):
            return None
        match content:
            case [str(kind), str(key_name), str(digest), float(until)]:
                is_valid = kind == _KIND and time.time() < until
                return Session(key_name, digest) if is_valid else None
        return None


def read_cookies(headers: Headers) -> dict[str, str]:
    """Return the cookies of a request by name."""
    return cookie_parser("; ".join(headers.getlist("cookie")))
