"""The memory of the attacked process and of its children, before, at most, and after."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypedDict

import psutil

INTERVAL_S = 0.05
MEGABYTE = 1 << 20


class Memory(TypedDict):
    """Resident memory in megabytes."""

    before_mb: float
    peak_mb: float
    after_mb: float
    readers_peak_mb: float
    """Of the largest process that reads files."""


class MemoryWatch:
    """The results of a watch, once it has ended."""

    memory: Memory


@contextmanager
def watch_memory(process: psutil.Process) -> Iterator[MemoryWatch]:
    """Sample the memory during the block."""
    watch, ended = MemoryWatch(), threading.Event()
    before = process.memory_info().rss
    peaks = [before, 0]

    def sample() -> None:
        while not ended.wait(INTERVAL_S):
            peaks[0] = max(peaks[0], process.memory_info().rss)
            peaks[1] = max(peaks[1], _measure_children(process))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
        after = process.memory_info().rss
        watch.memory = Memory(
            before_mb=round(before / MEGABYTE, 1),
            peak_mb=round(max(peaks[0], after) / MEGABYTE, 1),
            after_mb=round(after / MEGABYTE, 1),
            readers_peak_mb=round(peaks[1] / MEGABYTE, 1),
        )


def _measure_children(process: psutil.Process) -> int:
    """Return the largest resident memory of a child; those that end meanwhile do not count."""
    sizes = [0]
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            sizes.append(child.memory_info().rss)
    return max(sizes)
