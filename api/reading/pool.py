"""A pool of child processes that read users' files.

A file may take minutes or gigabytes to read, by accident or on purpose. In a thread of the API it
would hold the interpreter's lock meanwhile; in a child it costs only the request that sent it.
"""

import os
import pickle
import signal
import subprocess
from collections.abc import Callable
from multiprocessing import Pipe
from queue import LifoQueue
from typing import Final, ParamSpec, TypeVar, cast

from api.reading.child import Outcome
from api.reading.limits import ReadingLimits
from shared.datasets.errors import ReadingLimitExceeded
from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    describe_exit_code,
)

P = ParamSpec("P")
R = TypeVar("R")

KILL_GRACE_S: Final = 5.0
"""After the time limit, for the child's own alarm to end it."""
_INHERITED_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "TZ", "TMPDIR")
"""Environment variables that the child may need; passwords and keys are not among them."""


class ReaderPool:
    """Runs tasks in at most ``size`` child processes, which are started on demand and kept.

    Thread-safe. A task waits while all processes are in use.
    """

    def __init__(self, size: int, limits: ReadingLimits | None = None) -> None:
        self._limits = limits or ReadingLimits()
        self._readers: LifoQueue[_Reader | None] = LifoQueue()
        self._size = size
        for _ in range(size):
            self._readers.put(None)

    def run(self, task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``task`` in a child and return its result, or raise its exception.

        ``task``, its arguments and its result must be picklable. Raises ReadingLimitExceeded if
        the task takes too long or too much memory.
        """
        message = pickle.dumps((task, args, kwargs))
        reader = self._readers.get()
        try:
            if reader is None or not reader.is_running():
                reader = _Reader(self._limits)
            outcome = reader.run(message)
            if outcome is None:  # it ended for idleness at this moment
                reader = _Reader(self._limits)
                outcome = reader.run(message)
        except BaseException:
            if reader is not None:
                reader.close()
            reader = None
            raise
        finally:
            self._readers.put(reader)
        if outcome is None:
            raise RuntimeError("a reading process ended before it took its task")
        if outcome[0] == "error":
            raise outcome[1]
        return cast(R, outcome[1])

    def close(self) -> None:
        """End all processes; waits for running tasks."""
        for _ in range(self._size):
            reader = self._readers.get()
            if reader is not None:
                reader.close()
        for _ in range(self._size):
            self._readers.put(None)


class _Reader:
    """One child process."""

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits
        self._connection, child_end = Pipe()
        with child_end:
            self._process = subprocess.Popen(
                build_module_command(
                    "api.reading.child", str(child_end.fileno()), pickle.dumps(limits).hex()
                ),
                env=_build_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[child_end.fileno()],
            )

    def is_running(self) -> bool:
        return self._process.poll() is None

    def run(self, message: bytes) -> Outcome | None:
        """Return the outcome; None if the process ended without an error before its task."""
        try:
            self._connection.send_bytes(message)
            if not self._connection.poll(self._limits.seconds + KILL_GRACE_S):
                raise ReadingLimitExceeded.for_time(self._limits.seconds)
            outcome: Outcome = self._connection.recv()
        except (EOFError, ConnectionError):
            self._raise_for_end()
            return None
        return outcome

    def _raise_for_end(self) -> None:
        """Raise the reason why the process ended; nothing if it ended for idleness."""
        code = self._process.wait()
        self._connection.close()
        if code == 0:
            return
        if code == -signal.SIGALRM:
            raise ReadingLimitExceeded.for_time(self._limits.seconds)
        if code == -signal.SIGKILL:  # by the kernel when the machine is out of memory
            raise ReadingLimitExceeded.for_memory(self._limits.memory_bytes)
        raise RuntimeError(f"a process that reads a file {describe_exit_code(code)}")

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def _build_environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED_ENVIRONMENT if name in os.environ}
    return inherited | build_module_environment()
