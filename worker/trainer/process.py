"""The trainer process of one worker child, seen from the child: start, commands, stop, death."""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

from shared.infra.child_process import describe_exit_code
from shared.infra.settings import Settings
from shared.timings import TERMINATE_TIMEOUT_S
from worker.trainer.protocol import (
    PauseCommand,
    StopCommand,
    TrainerCommand,
    TrainerMessage,
    WorkCommand,
    parse_message,
)
from worker.trainer.stderr_tail import StderrTail

log = logging.getLogger(__name__)

_SECRET_PREFIXES = ("EVENKEEL_", "PG", "AWS_", "AZURE_", "GOOGLE_")
_TRAINER_VARIABLES = {
    # the last bits of a sum depend on the number of threads, so the environment must not decide
    # it: each run sets its own
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class TrainerDied(Exception):
    """Death of the trainer process; the message says how it ended."""


class Trainer:
    """Trainer process that starts with the first command and is kept between runs.

    The next ``submit_command`` replaces a process that has died, or was ended because it had no
    work. The kernel kills the trainer when this process dies, so it never outlives its parent.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._idle_timer: threading.Timer | None = None
        self._idle_lock = threading.Lock()
        """Held while the process is ended for want of work, so that no command reaches it then."""
        self._messages: queue.SimpleQueue[TrainerMessage | None] = queue.SimpleQueue()
        self.stderr_tail = StderrTail()

    @property
    def pid(self) -> int | None:
        """The process that is running; None without one."""
        return None if self._process is None else self._process.pid

    def submit_command(self, command: WorkCommand) -> None:
        """Send the trainer work.

        Raises TrainerDied if the process ends before it reads the command.
        """
        with self._idle_lock:
            self._cancel_idle_timer()
            if self._process is None or self._process.poll() is not None:
                self._start_process()
        self._write_command(command)

    def end_when_idle(self) -> None:
        """End the process unless a command comes within ``EVENKEEL_TRAINER_IDLE_SECONDS``."""
        with self._idle_lock:
            self._cancel_idle_timer()
            if self._process is None:
                return
            timer = threading.Timer(self._settings.trainer_idle_seconds, self._end_idle_process)
            timer.daemon = True
            self._idle_timer = timer
            timer.start()

    def _cancel_idle_timer(self) -> None:
        timer, self._idle_timer = self._idle_timer, None
        if timer is not None:
            timer.cancel()

    def _end_idle_process(self) -> None:
        with self._idle_lock:
            # a timer that was cancelled, but too late, is no longer the one that is set
            if self._idle_timer is threading.current_thread():
                self._idle_timer = None
                log.info("trainer_idle")
                self.kill(signal.SIGTERM)

    def receive_message(self, timeout: float) -> TrainerMessage | None:
        """Return the trainer's next message, or None after ``timeout`` seconds.

        Raises TrainerDied.
        """
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise self._reap_process()
        return message

    def request_stop(self, run_id: str) -> None:
        """Ask for the run to stop; its last message confirms it. Raises TrainerDied."""
        if self._process is None:
            raise self._reap_process()
        self._write_command(StopCommand(stop=run_id))

    def request_pause(self, run_id: str) -> None:
        """Ask a run that is trained alone to pause after its next step. Raises TrainerDied."""
        if self._process is None:
            raise self._reap_process()
        self._write_command(PauseCommand(wait=run_id))

    def kill(self, first_signal: signal.Signals = signal.SIGKILL) -> None:
        """End the process with ``first_signal``, then SIGKILL, and wait until it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(first_signal)
        try:
            process.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close_input(process)
        log.info("trainer_stopped pid=%s", process.pid)

    def _start_process(self) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "worker.trainer"),
                *("--parent", str(os.getpid())),
                *("--reservations", str(self._settings.resolved_cache_dir / "memory")),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_build_environment(),
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stderr_tail.follow_stream(self._process.stderr)
        self._messages = queue.SimpleQueue()
        _start_reader(self._process.stdout, self._messages)
        log.info("trainer_started pid=%s", self._process.pid)

    def _write_command(self, command: TrainerCommand) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command.model_dump()) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._reap_process() from None

    def _reap_process(self) -> TrainerDied:
        process, self._process = self._process, None
        if process is None:
            return TrainerDied("The trainer process is not running.")
        try:
            code = process.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # it is alive, but its output could not be parsed
            process.kill()
            process.wait()
            return TrainerDied("The trainer process sent an invalid message and was killed.")
        finally:
            _close_input(process)
        return TrainerDied(describe_exit(code))


def _close_input(process: "subprocess.Popen[str]") -> None:
    """Close the pipe to a process that has ended."""
    assert process.stdin is not None
    with suppress(OSError):  # it may hold a command that nobody reads any more
        process.stdin.close()


def _build_environment() -> dict[str, str]:
    """Return the trainer's environment, without the credentials that it does not need.

    They belong to the database, the broker, the storage and the API.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIXES)
    }
    return inherited | _TRAINER_VARIABLES


def describe_exit(code: int) -> str:
    """Describe how the trainer process ended, for a run's error message."""
    if code == -signal.SIGKILL:
        return (
            "The trainer process was killed (signal 9), probably because the machine ran out of "
            "memory."
        )
    return (
        f"The trainer process {describe_exit_code(code)}; see the worker's log for its last output."
    )


def _start_reader(stream: IO[str], messages: "queue.SimpleQueue[TrainerMessage | None]") -> None:
    threading.Thread(
        target=_read_messages, args=(stream, messages), name="trainer-messages", daemon=True
    ).start()


def _read_messages(stream: IO[str], messages: "queue.SimpleQueue[TrainerMessage | None]") -> None:
    """Parse messages into the queue, and put None when the stream ends or cannot be parsed."""
    try:
        with stream:
            for line in stream:
                messages.put(parse_message(line))
    except ValueError:  # a message that cannot be parsed
        log.exception("trainer_message_invalid")
    finally:
        messages.put(None)
