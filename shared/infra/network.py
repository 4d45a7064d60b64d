"""Which network addresses a service may be sent to by its callers: public ones, so that it is no way into the network it stands in."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


def is_public(address: str) -> bool:
    """Of an address in its textual form; what is none is not public either."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    plain = _embedded(parsed)
    return plain.is_global and not plain.is_multicast


def is_literal(host: str) -> bool:
    """Whether a URL's host is an address and not a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
