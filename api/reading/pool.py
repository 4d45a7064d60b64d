"""A pool of child processes that read users' files.

A file may take minutes or gigabytes to read, by accident or on purpose. In a thread of the API it
would hold the interpreter's lock meanwhile; in a child it costs only the request that sent it.
"""

import os
import pickle
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from queue import LifoQueue
from typing import Final, ParamSpec, TypeVar, cast

from api.reading.child import Outcome
from api.reading.limits import ReadingLimits
from shared.datasets.errors import ReadingLimitExceeded
from shared.domain.errors import ServiceUnavailable
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


class _CpuTimeExceeded(Exception):
    """The kernel has ended the process for the processor time of its task."""


class ReaderPool:
    """Runs tasks in at most ``size`` child processes, which are started on demand and kept.

    Thread-safe. A task waits while all processes are in use.
    """

    def __init__(self, size: int, limits: ReadingLimits | None = None) -> None:
        self._limits = limits or ReadingLimits()
        self._places: LifoQueue[_Reader | None] = LifoQueue()
        """One entry for each task that may run now, with its process if that was started."""
        self._started: list[_Reader] = []
        self._is_closed = False
        for _ in range(size):
            self._places.put(None)

    def run(self, task: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``task`` in a child and return its result, or raise its exception.

        ``task``, its arguments and its result must be picklable. Raises ReadingLimitExceeded if
        the task takes too long or too much memory.
        """
        return self.run_within(None, task, *args, **kwargs)

    def run_within(
        self, cpu_seconds: float | None, task: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Like ``run``, with a limit on processor time for this task."""
        cpu_seconds = cpu_seconds or self._limits.cpu_seconds
        message = pickle.dumps((task, args, kwargs, cpu_seconds))
        reader = self._places.get()
        try:
            reader, outcome = self._run_message(reader, message)
        except _CpuTimeExceeded:
            reader = None
            raise ReadingLimitExceeded.for_cpu(cpu_seconds) from None
        except BaseException:
            reader = None
            raise
        finally:
            self._places.put(reader)
        if outcome[0] == "error":
            raise outcome[1]
        return cast(R, outcome[1])

    def _run_message(self, reader: "_Reader | None", message: bytes) -> "tuple[_Reader, Outcome]":
        """Run a task, in a new process if there is none or if it has ended between tasks."""
        if reader is not None and reader.has_ended():
            self._close_reader(reader)
            reader = None
        outcome = None if reader is None else self._use_reader(reader, message)
        if reader is None or outcome is None:
            reader = _Reader(self._limits)
            self._started.append(reader)
            outcome = self._use_reader(reader, message)
        if outcome is None:
            raise RuntimeError("a process that reads files ended before it took its task")
        return reader, outcome

    def _use_reader(self, reader: "_Reader", message: bytes) -> Outcome | None:
        try:
            outcome = reader.run(message)
        except BaseException:
            self._close_reader(reader)
            if self._is_closed:
                raise ServiceUnavailable("The service is shutting down; retry shortly.") from None
            raise
        if outcome is None:
            self._close_reader(reader)
        return outcome

    def _close_reader(self, reader: "_Reader") -> None:
        reader.close()
        with suppress(ValueError):  # the pool was closed meanwhile
            self._started.remove(reader)

    def close(self) -> None:
        """Kill all processes; tasks that are running fail."""
        self._is_closed = True
        while self._started:
            self._started.pop().kill()


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

    def has_ended(self) -> bool:
        return self._process.poll() is not None

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
        if code == 0:
            return
        if code == -signal.SIGALRM:
            raise ReadingLimitExceeded.for_time(self._limits.seconds)
        if code == -signal.SIGPROF:
            raise _CpuTimeExceeded
        if code == -signal.SIGKILL:  # by the kernel when the machine is out of memory
            raise ReadingLimitExceeded.for_memory(self._limits.memory_bytes)
        raise RuntimeError(f"a process that reads a file {describe_exit_code(code)}")

    def close(self) -> None:
        self._connection.close()
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _build_environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED_ENVIRONMENT if name in os.environ}
    one_thread = {"TOKENIZERS_PARALLELISM": "false"}  # else a thread, and its memory, per core
    return inherited | one_thread | build_module_environment()
