"""The network of a client: what its requests and connections have in common."""

import ipaddress
from typing import Final

_IPV6_NETWORK_BITS: Final = 64  # one customer usually has such a network


def get_client_network(address: str) -> str:
    """Return the address, or of IPv6 its /64 network, all of which one client may use.

    An IPv4 address in the form of an IPv6 one is the IPv4 address; the name of a socket is itself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
