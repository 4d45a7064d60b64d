"""Checks of network addresses that callers supply. Only public ones are allowed, so that the
service cannot be used to reach its own network.

The ranges are those of IANA's special-purpose address registries. They are listed here because
``ipaddress`` of an older Python lacks the newer ones.
"""

import re
import socket
import threading
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_SPECIAL_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # the platform service of a large cloud, in no registry
    )
)
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
"""The only allocated range of public addresses; all others are for special purposes."""
_SPECIAL_IPV6: Final = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20")
)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_NUMBER: Final = r"(?:0[xX][0-9a-fA-F]*|[0-9]+)"
_NUMERIC_HOST: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}", re.ASCII)
_ENDS_IN_NUMBER: Final = re.compile(rf"(?:.*\.)?{_NUMBER}", re.ASCII)
_LOCAL_SUFFIXES: Final = ("localhost", "localdomain", "local", "internal", "home.arpa", "onion")
"""Names that are no public ones, with all below them (RFC 6761, 6762, 7686, 8375)."""


def is_public_address(address: str) -> bool:
    """Return whether an address is public; False for an invalid address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(parsed)


def is_public_host(host: str) -> bool:
    """Return whether the host of a URL may be public, without asking for its addresses.

    It is not if it is an address of another kind, in any of the forms that resolvers read
    (``127.1``, ``0x7f000001``, ``2130706433``), or a name that has a meaning on one network only.
    """
    plain = host.rstrip(".").lower()
    address = _parse_address(plain)
    if address is not None:
        return _is_public(address)
    if "." not in plain or _ENDS_IN_NUMBER.fullmatch(plain):
        return False
    return not any(plain == name or plain.endswith(f".{name}") for name in _LOCAL_SUFFIXES)


def resolve_host(host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of a host. Raises OSError or UnicodeError for an unknown one, and
    TimeoutError if the resolver, which has no deadline of its own, does not answer in time.
    """
    found: list[str] = []
    errors: list[Exception] = []

    def resolve() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(str(entry[4][0]) for entry in entries)
        except (OSError, UnicodeError) as error:
            errors.append(error)

    thread = threading.Thread(target=resolve, name="resolver", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not found:
        raise TimeoutError(f"{host} was not resolved within {seconds:g} s")
    return found


def _parse_address(host: str) -> IPv4Address | IPv6Address | None:
    """Parse an address as resolvers do: an IPv4 address may be octal, hexadecimal or one number."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if not _NUMERIC_HOST.fullmatch(host):
        return None
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    embedded = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        embedded = IPv4Address(int(address) & 0xFFFFFFFF)
    if embedded is not None:
        return _is_public(embedded)
    return address in _GLOBAL_IPV6 and not any(address in network for network in _SPECIAL_IPV6)
