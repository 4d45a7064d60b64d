"""Checks of the origin of a request, which count where a browser needs to send no key."""

from starlette.datastructures import Headers

from shared.domain.errors import CrossSiteRequest


def check_origin(headers: Headers) -> None:
    """Raise CrossSiteRequest for a request that a page of another site sends through a browser.

    Without a key every local process has access, and a local browser is one of them.
    """
    if _is_from_other_site(headers):
        raise CrossSiteRequest(
            "Requests from pages of other sites are refused while the service has no API key; "
            "set EVENKEEL_API_KEY and send the key."
        )


def check_form_origin(headers: Headers) -> None:
    """Raise CrossSiteRequest for a form of another site, with which a browser that has signed in
    sends its cookie.
    """
    if _is_from_other_site(headers):
        raise CrossSiteRequest(
            "The form was sent from a page of another site, and nothing was changed. Open the page "
            "here and send it again; a proxy must forward the Host header."
        )


def _is_from_other_site(headers: Headers) -> bool:
    origin = headers.get("origin")
    # an origin is scheme://host[:port]; compared as text, a malformed one never matches
    return origin is not None and origin.partition("://")[2] != headers.get("host")
