"""A small process supervisor: starts children, restarts them, and stops them all on Ctrl-C.

Each child has its own session, so that a terminal's Ctrl-C reaches only the parent. The kernel
kills a child when its parent dies (PR_SET_PDEATHSIG); this is tied to the *thread* that started
the child, so everything here runs in one asyncio loop on the main thread.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cli.child_output import ChildOutput, copy_lines
from shared.infra.child_process import (
    STARTED_FD_VARIABLE,
    describe_exit_code,
    make_parent_death_hook,
)
from shared.timings import OUTPUT_DRAIN_S, PROCESS_STOP_S

MAX_START_ATTEMPTS: Final = 3  # of a program that exits and never started well
STABLE_UPTIME_S: Final = 30.0  # a child that ran this long is restarted with the shortest delay
MIN_RESTART_DELAY_S: Final = 0.5
MAX_RESTART_DELAY_S: Final = 30.0
READY_POLL_INTERVAL_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program to run as a child, and how to start and stop it."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the parent's environment."""
    pass_fds: tuple[int, ...] = ()
    ready: Callable[[], Awaitable[bool]] | None = None
    """Polled until true before the next program starts; None: ready as soon as it is started."""
    after_failed_start: Callable[[], None] | None = None
    """Called after it exits before it was ready, to remove what may have stopped it."""
    stop_order: int = 0
    """Programs of a lower order have ended before those of a higher one are stopped."""
    stop_seconds: float = PROCESS_STOP_S
    """Time between SIGTERM and SIGKILL."""


class Supervisor:
    """Starts programs in order, keeps them running, and stops them by their ``stop_order``."""

    def __init__(
        self,
        programs: Sequence[Program],
        output: ChildOutput,
        *,
        when_ready: Callable[[], None] | None = None,
    ) -> None:
        self._children = [_SupervisedChild(program, output) for program in programs]
        self._output = output
        self._when_ready = when_ready
        self._stop_requested = asyncio.Event()

    async def run(self) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP; a second signal kills everything at once.

        Returns the exit code: 0, or 1 if a program cannot be started.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._handle_signal)
        keeping = asyncio.create_task(self._keep_all_running())
        stopping = asyncio.create_task(self._stop_requested.wait())
        try:
            await asyncio.wait({keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await self._get_exit_code(keeping)
        finally:
            stopping.cancel()
            self._stop_requested.set()
            await self._stop_all()

    def _handle_signal(self) -> None:
        if not self._stop_requested.is_set():
            self._output.write_parent_line(
                "stopping (press Ctrl-C again to kill everything at once)"
            )
            self._stop_requested.set()
            return
        for child in self._children:
            child.kill()

    async def _get_exit_code(self, keep_task: "asyncio.Task[None]") -> int:
        """End the task that keeps the programs running; return 1 if one could not be started."""
        keep_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await keep_task
            except BaseExceptionGroup as failures:
                unstartable, others = failures.split(StartError)
                if unstartable is None or others is not None:
                    raise
                self._output.write_parent_line(f"{unstartable.exceptions[0]}; giving up")
                return 1
        return 0

    async def _keep_all_running(self) -> None:
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(child.keep_running())
                await child.wait_until_ready()
            if self._when_ready is not None:
                self._when_ready()

    async def _stop_all(self) -> None:
        for order in sorted({child.program.stop_order for child in self._children}):
            await asyncio.gather(
                *(child.stop() for child in self._children if child.program.stop_order == order)
            )


class StartError(Exception):
    """A program cannot be started, or exited MAX_START_ATTEMPTS times before it settled."""


class _SupervisedChild:
    """A program's process, and the ones that replace it after an unexpected end."""

    def __init__(self, program: Program, output: ChildOutput) -> None:
        self.program = program
        self._output = output
        self._process: asyncio.subprocess.Process | None = None
        self._copier: asyncio.Task[None] | None = None
        self._has_settled = False
        """It was ready, said that it works, or ran for a while. From then on it is restarted
        whenever it ends.
        """

    async def keep_running(self) -> None:
        """Start the program, and again whenever it ends, until cancelled; raises StartError."""
        ends = exits = 0
        while True:
            started = time.monotonic()
            await self._start_process()
            code = await self._wait_for_exit()
            was_stable = time.monotonic() - started > STABLE_UPTIME_S
            self._has_settled = self._has_settled or was_stable
            ends = 1 if was_stable else ends + 1
            exits += code >= 0  # a signal comes from outside; only an exit is the program's fault
            self._print_last_lines()
            if not self._has_settled:
                self._handle_failed_start(code, exits)
            delay = min(MIN_RESTART_DELAY_S * 2 ** (ends - 1), MAX_RESTART_DELAY_S)
            self._output.write_parent_line(
                f"{self.program.name} {describe_exit_code(code)}; restarting it in {delay:g} s"
            )
            await asyncio.sleep(delay)

    def _handle_failed_start(self, code: int, exits: int) -> None:
        """Raise StartError after MAX_START_ATTEMPTS exits; else prepare the next attempt."""
        if exits >= MAX_START_ATTEMPTS:
            raise StartError(
                f"{self.program.name} {describe_exit_code(code)} while starting, {exits} times"
            )
        if self.program.after_failed_start is not None:
            self.program.after_failed_start()

    async def wait_until_ready(self) -> None:
        """Wait until the program answers, even if it is restarted meanwhile."""
        is_ready = self.program.ready
        while self._process is None or (is_ready is not None and not await is_ready()):
            await asyncio.sleep(READY_POLL_INTERVAL_S)
        self._has_settled = self._has_settled or is_ready is not None

    def _print_last_lines(self) -> None:
        for line in self._output.get_hidden_tail(self.program.name):
            self._output.write_parent_line(f"{self.program.name}: {line}")

    async def stop(self) -> None:
        """Send SIGTERM, then SIGKILL to what is left of the process group."""
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        try:
            async with asyncio.timeout(self.program.stop_seconds):
                await self._process.wait()
        except TimeoutError:
            self._output.write_parent_line(
                f"{self.program.name} did not stop within {self.program.stop_seconds:g} s; "
                "killing it"
            )
            self.kill()
        await self._wait_for_exit()

    def kill(self) -> None:
        """Send SIGKILL to the whole process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _start_process(self) -> None:
        program = self.program
        # not asyncio's pipe: its wait() returns only when a grandchild has closed the pipe, too
        read_end, write_end = os.pipe()
        started_end, started_fd = os.pipe()
        self._watch_start(started_end)
        self._copier = asyncio.create_task(
            copy_lines(program.name, os.fdopen(read_end, "rb", buffering=0), self._output)
        )
        try:
            self._process = await _spawn_process(program, write_end, started_fd)
        except OSError as error:  # no such file, not executable, no memory
            raise StartError(
                f"{program.name} cannot be started ({program.command[0]}: {error.strerror})"
            ) from error
        finally:
            os.close(write_end)
            os.close(started_fd)

    def _watch_start(self, descriptor: int) -> None:
        """Take the program for settled once it writes to the pipe, and close the pipe then or
        when it ends.
        """
        loop = asyncio.get_running_loop()

        def on_readable() -> None:
            self._has_settled = bool(os.read(descriptor, 1)) or self._has_settled
            loop.remove_reader(descriptor)
            os.close(descriptor)

        loop.add_reader(descriptor, on_readable)

    async def _wait_for_exit(self) -> int:
        """Wait for the process's end, kill the rest of its group, and return its exit code."""
        assert self._process is not None
        assert self._copier is not None
        code = await self._process.wait()
        self.kill()  # processes of its group that it left behind
        await asyncio.wait({self._copier}, timeout=OUTPUT_DRAIN_S)
        self._copier.cancel()
        return code


async def _spawn_process(
    program: Program, output_fd: int, started_fd: int
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *program.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output_fd,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **program.env, STARTED_FD_VARIABLE: str(started_fd)},
        pass_fds=(*program.pass_fds, started_fd),
        start_new_session=True,
        preexec_fn=make_parent_death_hook(),
    )
