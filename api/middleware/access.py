"""Checks of the origin of a request, which count while the service has no API key."""

from starlette.datastructures import Headers

from shared.domain.errors import CrossSiteRequest


def check_origin(headers: Headers) -> None:
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
