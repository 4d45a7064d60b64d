"""The memory of this machine, which bounds the models that can be trained on it."""

import os
import sys


def read_machine_memory() -> int:
    """Return the bytes of physical memory; more than any machine has where the system is silent.

    The limit of a container is not considered: the API and the workers run in different ones.
    """
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize
