"""The check of the ``Host`` header, against pages that rebind their name to this machine.

A page may let its own name point to 127.0.0.1. To the browser, the service then belongs to the
page, which may read every response. The name remains in ``Host``. With a key the page gets nothing
from it, because no browser sends the key by itself; names are then checked only if some are given.
"""

import ipaddress
import re
from functools import cached_property

from starlette.datastructures import Headers

from shared.domain.errors import HostNotAllowed
from shared.infra.settings import LOOPBACK_HOSTS, Settings

_HOST_PATTERN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")
_ANY_NAME = "*"


class HostCheck:
    """The host names under which this service answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _allowed(self) -> frozenset[str]:
        given = self._settings.allowed_hosts.split(",")
        own = [self._settings.host, self._settings.published_host or ""]
        return frozenset(_normalize_name(name.strip()) for name in [*given, *own] if name.strip())

    def _is_needed(self, *, is_keyless: bool) -> bool:
        if _ANY_NAME in self._allowed:
            return False
        reached_at = self._settings.published_host or self._settings.host
        has_names = bool(self._settings.allowed_hosts.strip(", "))
        return has_names or (is_keyless and reached_at in LOOPBACK_HOSTS)

    def allows(self, headers: Headers, *, is_keyless: bool) -> bool:
        """Return whether the service answers under the name of the request."""
        if not self._is_needed(is_keyless=is_keyless):
            return True
        given = headers.getlist("host")
        # without the header, the request comes from no browser (HTTP/1.0, a health probe)
        return not given or (len(given) == 1 and self._is_allowed(given[0]))

    def check(self, headers: Headers, *, is_keyless: bool) -> None:
        """Raise HostNotAllowed for a request with another name, or with several."""
        if not self.allows(headers, is_keyless=is_keyless):
            raise HostNotAllowed(
                "The service does not answer under the name in the Host header. Use 127.0.0.1 or "
                "localhost, or add the name to EVENKEEL_ALLOWED_HOSTS."
            )

    def _is_allowed(self, host: str) -> bool:
        match = _HOST_PATTERN.fullmatch(host)
        if match is None:
            return False
        name = _normalize_name(match[1])
        return name in self._allowed or _is_loopback_name(name)


def _normalize_name(name: str) -> str:
    """Return the name in lower case, without a trailing dot and the brackets of an IPv6 address."""
    plain = name.lower().removeprefix("[").removesuffix("]")
    return plain[:-1] if plain.endswith(".") else plain


def _is_loopback_name(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
