"""Access checks on a request's headers: the API key, or without a key the origin of the request."""

import secrets

from starlette.datastructures import Headers

from shared.domain.errors import CrossSiteRequest, NotAuthenticated
from shared.infra.settings import Settings

PROTECTED_PREFIX = "/v1"


def check_access(path: str, headers: Headers, settings: Settings) -> None:
    """Raise NotAuthenticated or CrossSiteRequest for a request that may not use the service."""
    if settings.api_key is None:
        _check_origin(headers)
    elif path.startswith(PROTECTED_PREFIX):
        _check_api_key(headers, settings.api_key.get_secret_value())


def _check_api_key(headers: Headers, api_key: str) -> None:
    given = headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {api_key}".encode()):
        raise NotAuthenticated(
            "The API key is missing or wrong; send the header 'Authorization: Bearer <key>'."
        )


def _check_origin(headers: Headers) -> None:
    """Raise CrossSiteRequest for a request that a page of another site sends through a browser.

    Without a key every local process has access, and a local browser is one of them.
    """
    origin = headers.get("origin")
    # an origin is scheme://host[:port]; compared as text, a malformed one never matches
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        raise CrossSiteRequest(
            "Requests from pages of other sites are refused while the service has no API key; "
            "set EVENKEEL_API_KEY and send the key."
        )
