"""Tokens of forms: a form counts only if a page that this service gave to this browser has it.

A token is a digest of the browser's own random cookie and of its session, made with the secret key
of the installation: no other page can compute it, and it ends with the session.
"""

import hmac
import re
import secrets
from typing import Final

from starlette.datastructures import FormData, Headers

from api.access.sessions import read_cookies
from shared.domain.errors import CrossSiteRequest
from shared.infra.secret_box import SecretBox

VISITOR_COOKIE: Final = "evenkeel_visitor"
TOKEN_FIELD: Final = "csrf"
_VISITOR_FORM: Final = re.compile("[0-9a-f]{32}")


def find_visitor(headers: Headers) -> str | None:
    """Return the browser's random cookie, if it has one of the right form."""
    visitor = read_cookies(headers).get(VISITOR_COOKIE, "")
    return visitor if _VISITOR_FORM.fullmatch(visitor) else None


def make_visitor() -> str:
    return secrets.token_hex(16)


def compute_token(box: SecretBox, visitor: str, session_cookie: str) -> str:
    """Return the token of the forms of this browser and session."""
    return box.sign("form token", f"{visitor} {session_cookie}")


def check_token(form: FormData, expected: str) -> None:
    """Raise CrossSiteRequest for a form without the token."""
    given = form.get(TOKEN_FIELD)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), expected.encode()):
        raise CrossSiteRequest(
            "The form is too old or was not sent from a page of this service, and nothing was "
            "changed. Open the page again and send it from there."
        )
