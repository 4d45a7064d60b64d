"""File descriptors of the process: raise the limit, and see that connections leave room."""

import logging
import resource
from typing import Final

log = logging.getLogger(__name__)

WANTED_DESCRIPTORS: Final = 65_536
RESERVED_DESCRIPTORS: Final = 256
"""For the database, child processes and libraries."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files as far as the hard limit allows; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def fit_connections(wanted: int, descriptors: int) -> int:
    """Return how many connections leave enough of the descriptors for everything else."""
    per_connection = 2  # a socket, and a temporary file for what it sends
    most = max(descriptors - RESERVED_DESCRIPTORS, descriptors // 2) // per_connection
    if wanted <= most:
        return wanted
    log.warning(
        "connections_lowered wanted=%d allowed=%d open_files=%d (raise the limit of open files)",
        wanted,
        most,
        descriptors,
    )
    return most
