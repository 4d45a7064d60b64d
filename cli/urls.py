"""The address of the service, as users write it."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from cli.errors import CliError
from shared.infra.settings import LOOPBACK_HOSTS

_API_VERSION = "/v1"  # in the address that other clients of the service take


def normalize_url(url: str) -> str:
    """Return the address without ``/v1`` and slashes at its end.

    Raises CliError for what is not an address of a service.
    """
    try:
        parts = urlsplit(url.strip())
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        is_plain = url.strip().isprintable() and not parts.query and not parts.fragment
    except ValueError:  # a port that is no number, or half of an IPv6 address
        is_usable = is_plain = False
    if not is_usable or not is_plain or " " in url.strip():
        raise CliError(f"{url!r} is not the URL of a service. Example: http://127.0.0.1:8000.")
    return url.strip().rstrip("/").removesuffix(_API_VERSION).rstrip("/")


def is_loopback(url: str) -> bool:
    """Return whether the address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host in LOOPBACK_HOSTS or ip_address(host).is_loopback
    except ValueError:  # a name
        return False
