"""The hosts that downloads from the hub may come from."""

_PUBLIC_HUB = "huggingface.co"
_PUBLIC_HUB_DOWNLOADS = "hf.co"  # where the public hub redirects downloads to


def list_allowed_hosts(endpoint_host: str, hub_hosts: str) -> list[str]:
    """List the hosts that the hub may redirect to; their subdomains are allowed as well.

    ``hub_hosts`` are further hosts, separated by commas (``EVENKEEL_HUB_HOSTS``).
    """
    configured = [host for host in hub_hosts.replace(" ", "").split(",") if host]
    downloads = [_PUBLIC_HUB_DOWNLOADS] if endpoint_host == _PUBLIC_HUB else []
    return [endpoint_host, *configured, *downloads]


def is_allowed_host(host: str, allowed_hosts: list[str]) -> bool:
    """Return whether a host is one of ``allowed_hosts`` or below one of them."""
    return any(host == allowed or host.endswith(f".{allowed}") for allowed in allowed_hosts)
