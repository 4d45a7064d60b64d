"""A small process supervisor: named children under one parent, one Ctrl-C for all of them.

Children get a session of their own, so that a terminal's Ctrl-C reaches the parent alone, and
the kernel's promise to kill them when the parent dies (PR_SET_PDEATHSIG), so that none outlives
a killed parent. That promise is tied to the *thread* that made the child: everything here runs
in one asyncio loop on the main thread.
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
from shared.infra.child_process import describe_exit_code, make_parent_death_hook

MAX_START_ATTEMPTS: Final = 3  # exits of a program that never settled, after which it is given up
STABLE_UPTIME_S: Final = 30.0  # a child that lived so long starts its next pauses small again
MIN_RESTART_DELAY_S: Final = 0.5
MAX_RESTART_DELAY_S: Final = 30.0
DRAIN_TIMEOUT_S: Final = (
    1.0  # for the last lines of a child that has ended; a grandchild may hold the pipe open
)
READY_POLL_INTERVAL_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run as a child, and how to treat it."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the parent's environment."""
    pass_fds: tuple[int, ...] = ()
    ready: Callable[[], Awaitable[bool]] | None = None
    """Asked again and again, until true, before the next program starts; None: ready as soon as
    it was started.
    """
    after_failed_start: Callable[[], None] | None = None
    """Called when it died before it was ready, to clear out of its way what may have stopped it."""
    stop_stage: int = 0
    """All programs of a stage have ended before those of the next stage are asked to."""
    stop_seconds: float = 6.0
    """From TERM to KILL."""


class Supervisor:
    """Starts programs in order, keeps them running, stops them by stage when told to."""

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
        """Serve until SIGINT, SIGTERM or SIGHUP; returns the exit code: 0, or 1 when a program
        would not start.

        A second signal kills everything at once.
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
            self._output.write_parent_line("stopping (once more to kill at once)")
            self._stop_requested.set()
            return
        for child in self._children:
            child.kill()

    async def _get_exit_code(self, keep_task: "asyncio.Task[None]") -> int:
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
        for stage in sorted({child.program.stop_stage for child in self._children}):
            await asyncio.gather(
                *(child.stop() for child in self._children if child.program.stop_stage == stage)
            )


class StartError(Exception):
    """A program cannot be started, or exited START_ATTEMPTS times without ever settling."""


class _SupervisedChild:
    """One program's process, and its successors after unexpected deaths."""

    def __init__(self, program: Program, output: ChildOutput) -> None:
        self.program = program
        self._output = output
        self._process: asyncio.subprocess.Process | None = None
        self._copier: asyncio.Task[None] | None = None
        self._has_settled = False
        """It was ready, or lived for a while: from then on it is started again however often it
        ends.
        """

    async def keep_running(self) -> None:
        """Start it, and again whenever it ends, until cancelled; raises StartError."""
        deaths = exits = 0
        while True:
            born = time.monotonic()
            await self._start_process()
            code = await self._wait_for_exit()
            steady = time.monotonic() - born > STABLE_UPTIME_S
            self._has_settled = self._has_settled or steady
            deaths = 1 if steady else deaths + 1
            exits += code >= 0  # a signal comes from outside; an exit is the program's own word
            self._print_last_lines()
            if not self._has_settled:
                if exits >= MAX_START_ATTEMPTS:
                    ending = describe_exit_code(code)
                    raise StartError(f"{self.program.name} {ending} at its start, {exits} times")
                if self.program.after_failed_start is not None:
                    self.program.after_failed_start()
            pause = min(MIN_RESTART_DELAY_S * 2 ** (deaths - 1), MAX_RESTART_DELAY_S)
            self._output.write_parent_line(
                f"{self.program.name} {describe_exit_code(code)}; starting it again in {pause:g} s"
            )
            await asyncio.sleep(pause)

    async def wait_until_ready(self) -> None:
        """Returns once the program answers, whichever of its processes that is."""
        question = self.program.ready
        while self._process is None or (question is not None and not await question()):
            await asyncio.sleep(READY_POLL_INTERVAL_S)
        self._has_settled = self._has_settled or question is not None

    def _print_last_lines(self) -> None:
        for line in self._output.get_hidden_tail(self.program.name):
            self._output.write_parent_line(f"{self.program.name} said: {line}")

    async def stop(self) -> None:
        """TERM, then KILL for the whole process group of whoever is left."""
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
        """KILL, to the process and all of its group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _start_process(self) -> None:
        program = self.program
        # a pipe of our own: asyncio's wait() holds out for the end of its pipes, which a
        # grandchild can keep open
        read_end, write_end = os.pipe()
        self._copier = asyncio.create_task(
            copy_lines(program.name, os.fdopen(read_end, "rb", buffering=0), self._output)
        )
        try:
            self._process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **program.env},
                pass_fds=program.pass_fds,
                start_new_session=True,
                preexec_fn=make_parent_death_hook(),
            )
        except OSError as error:  # no such file, not executable, no memory
            raise StartError(
                f"{program.name} cannot be started ({program.command[0]}: {error.strerror})"
            ) from error
        finally:
            os.close(write_end)

    async def _wait_for_exit(self) -> int:
        """The process's return code, once it has ended, its group is gone and its last lines
        are copied.
        """
        assert self._process is not None
        assert self._copier is not None
        code = await self._process.wait()
        self.kill()  # members of its group that it left behind
        await asyncio.wait({self._copier}, timeout=DRAIN_TIMEOUT_S)
        self._copier.cancel()
        return code
