"""The memory of this machine: all of it, and what is free for this process."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_LIMIT_FILES = (
    ("memory.max", "memory.current", "inactive_file"),  # version 2 of cgroups
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
)


def read_machine_memory() -> int:
    """Return the bytes of physical memory; more than any machine has where the system is silent.

    The limit of a container is not considered: the API and the workers run in different ones.
    """
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def read_free_memory(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """Return how many more bytes this process can use: what is free on the machine, and below the
    limit of each control group that it is in. ``sys.maxsize`` where the system does not say.
    """
    free = [_read_cgroup_free(folder) for folder in _iterate_cgroups(proc, cgroups)]
    return min([_read_available(proc), *free])


def read_resident_memory(pid: int, proc: Path = _PROC) -> int:
    """Return the bytes of memory that a process holds; 0 if it is not seen from here."""
    for line in _read_text(proc / str(pid) / "status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _read_available(proc: Path) -> int:
    for line in _read_text(proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return sys.maxsize


def _iterate_cgroups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """Iterate over the folders of this process's memory groups and of those above them."""
    for line in _read_text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = cgroups / controllers if controllers else cgroups
        inner = PurePosixPath(path.lstrip("/"))
        yield from dict.fromkeys(root / parent for parent in (inner, *inner.parents))


def _read_cgroup_free(folder: Path) -> int:
    """Return the bytes below a group's limit; files that only the cache holds count as free."""
    for limit_name, usage_name, cache_name in _LIMIT_FILES:
        limit, usage = _read_text(folder / limit_name).strip(), _read_text(folder / usage_name)
        if limit.isdecimal() and usage:
            cached = [
                int(line.split()[1])
                for line in _read_text(folder / "memory.stat").splitlines()
                if line.startswith(f"{cache_name} ")
            ]
            return max(0, int(limit) - int(usage) + sum(cached))
    return sys.maxsize


def _read_text(file: Path) -> str:
    """Return a file's text; empty if there is none, as on other systems."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
