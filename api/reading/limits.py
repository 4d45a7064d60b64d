"""Limits on a child process that reads users' files."""

import contextlib
import resource
import signal
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What one task may cost before its process is killed."""

    seconds: float = 120.0
    """Wall-clock time of a task."""
    cpu_seconds: float = 60.0
    """Processor time of a task; unlike the above, it does not depend on what else runs."""
    memory_bytes: int = 4 * 1024**3
    """Address space of the process; a table of five million cells takes about 1 GB."""
    kept_memory_bytes: int = 400 * 1024**2
    """A process that has held more than this ends after its task, which returns the memory."""
    idle_seconds: float = 300.0
    """A process that gets no task for this long ends."""


def limit_this_process(limits: ReadingLimits) -> None:
    """Bound the memory of this process and of its children, and yield the cores to the API."""
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is already in force
            resource.setrlimit(kind, (most, most))


def start_time_limit(seconds: float, cpu_seconds: float) -> None:
    """Have the kernel kill this process after this time, unless ``stop_time_limit`` is called.

    The default action of SIGALRM and SIGPROF needs no Python code to run, so it also ends a
    regular expression or a C function that does not return.
    """
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)


def stop_time_limit() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)
