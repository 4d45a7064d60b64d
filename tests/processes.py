"""Looking at processes from outside, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path


def until(
    condition: Callable[[], bool], complaint: Callable[[], str] | str, *, seconds: float = 60
) -> None:
    """Wait for a condition; the limit is only there to end a broken test."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint if isinstance(complaint, str) else complaint()
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """There is such a process, and it is more than an entry that waits for its parent (a
    zombie).
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def await_end(*pids: int) -> None:
    until(
        lambda: not any(map(alive, pids)),
        lambda: f"still there: {[pid for pid in pids if alive(pid)]}",
    )


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, task.read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on, that are there now."""
    below = children(pid)
    return below + [deeper for child in below for deeper in descendants(child)]


def command_line(pid: int) -> str:
    """Words separated by blanks; empty for a process that has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""
