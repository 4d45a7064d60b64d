"""The process that reads users' files: runs one task at a time, for one parent.

The parent sends ``(function, args, kwargs, CPU seconds)`` and gets ``("value", result)`` or
``("error", exception)``. Both ends are this distribution, so the messages are pickled.
"""

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from api.reading.limits import (
    ReadingLimits,
    limit_this_process,
    start_time_limit,
    stop_time_limit,
)
from shared.datasets.errors import ReadingLimitExceeded
from shared.domain.errors import ServiceError

NICENESS = 5
"""The API process answers first while files are read."""

Task = tuple[Callable[..., object], Sequence[object], Mapping[str, object], float]
Outcome = tuple[Literal["value"], object] | tuple[Literal["error"], Exception]


def main(descriptor: int, limits: ReadingLimits) -> None:
    """Run tasks until the parent ends, no task comes, or much memory has been used."""
    limit_this_process(limits)
    os.nice(NICENESS)
    with Connection(descriptor) as connection:
        while connection.poll(limits.idle_seconds):
            try:
                task: Task = connection.recv()
            except EOFError:
                return
            start_time_limit(limits.seconds, cpu_seconds=task[3])
            _send_outcome(connection, _run_task(task, limits))
            stop_time_limit()
            if _get_peak_memory_bytes() > limits.kept_memory_bytes:
                return


def _run_task(task: Task, limits: ReadingLimits) -> Outcome:
    function, args, kwargs, _ = task
    try:
        return "value", function(*args, **kwargs)
    except ServiceError as error:
        return "error", error
    except MemoryError:
        return "error", ReadingLimitExceeded.for_memory(limits.memory_bytes)
    except Exception as error:  # noqa: BLE001 (the parent raises it)
        traceback.print_exc()
        return "error", error


def _send_outcome(connection: Connection, outcome: Outcome) -> None:
    try:
        message = pickle.dumps(outcome)
    except Exception as error:  # noqa: BLE001 (an exception may hold anything)
        traceback.print_exc()
        message = pickle.dumps(("error", RuntimeError(f"unpicklable outcome: {error}")))
    connection.send_bytes(message)


def _get_peak_memory_bytes() -> int:
    """Return the peak of the resident memory; 0 where the system does not tell.

    ``getrusage`` would count what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    fields = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), pickle.loads(bytes.fromhex(sys.argv[2])))
