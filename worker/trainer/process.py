"""The trainer process of one worker child, seen from outside: start, talk, stop, and its end in
words.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, Any

from shared.infra.child_process import in_words
from shared.infra.settings import Settings
from worker.trainer.stderr_tail import StderrTail

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 0.8  # how long a wish to stop may take; longer than most steps
PAUSE_TIMEOUT_S = 60.0  # how long a wish to wait may: a step, an evaluation, a state written down
TERMINATE_TIMEOUT_S = 0.3
_SECRET_PREFIXES = ("EVENKEEL_", "PG", "AWS_", "AZURE_", "GOOGLE_")
TrainerMessage = dict[str, Any]


class TrainerDied(Exception):
    """The trainer process ended by itself or was killed; the message says how, for people."""


class Trainer:
    """Started when first needed and kept warm between runs; a dead one is replaced by the next
    ``begin``.

    It has the kernel kill it when this process dies, so no trainer ever outlives its
    supervisor.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._messages: queue.SimpleQueue[TrainerMessage | None] = queue.SimpleQueue()
        self.stderr_tail = StderrTail()

    def submit_command(self, command: TrainerMessage) -> None:
        """Hand over ``{"run": …}``, ``{"stack": […]}`` or ``{"baselines": …}``.

        Raises TrainerDied if the process ends before it has taken it.
        """
        if self._process is None or self._process.poll() is not None:
            self._start_process()
        self._write_command(command)

    def receive_message(self, timeout: float) -> TrainerMessage | None:
        """What the trainer said next, or None if it said nothing for so long. Raises
        TrainerDied.
        """
        try:
            line = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if line is None:
            raise self._reap_process()
        return line

    def request_stop(self, run_id: str) -> None:
        """Its last line tells that the run has stopped. Raises TrainerDied."""
        if self._process is None:
            raise self._reap_process()
        self._write_command({"stop": run_id})

    def request_pause(self, run_id: str) -> None:
        """A run that is trained alone ends as paused, after its next step. Raises TrainerDied."""
        if self._process is None:
            raise self._reap_process()
        self._write_command({"wait": run_id})

    def kill(self, first_signal: signal.Signals = signal.SIGKILL) -> None:
        """When this returns, nothing trains any more."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(first_signal)
        try:
            process.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.info("trainer_stopped pid=%s", process.pid)

    def _start_process(self) -> None:
        # the last bits of a sum depend on the thread count, so nothing of the environment may
        # decide it: each run sets its own
        threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.trainer", "--parent", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=_build_environment()
            | threads
            | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stderr_tail.follow_stream(self._process.stderr)
        self._messages = queue.SimpleQueue()
        threading.Thread(
            target=_read_messages,
            args=(self._process.stdout, self._messages),
            name="trainer-lines",
            daemon=True,
        ).start()
        log.info("trainer_started pid=%s", self._process.pid)

    def _write_command(self, command: TrainerMessage) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._reap_process() from None

    def _reap_process(self) -> TrainerDied:
        process, self._process = self._process, None
        if process is None:
            return TrainerDied("The trainer process is gone.")
        try:
            code = process.wait(TERMINATE_TIMEOUT_S)
        except (
            subprocess.TimeoutExpired
        ):  # it lives but its lines cannot be read: no use to anybody
            process.kill()
            process.wait()
            return TrainerDied("The trainer process said what is not understood and was killed.")
        return TrainerDied(describe_exit(code))


def _build_environment() -> dict[str, str]:
    """The environment less what opens the database, the broker, the storage or the API: the
    trainer needs none of them.
    """
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIXES)
    }


def is_last_message(message: TrainerMessage) -> bool:
    """Whether a line is the trainer's last on its run."""
    last_events = ("finished", "paused", "baselines")
    return (
        "failed" in message
        or "stopped" in message
        or message.get("event", {}).get("type") in last_events
    )


def describe_exit(code: int) -> str:
    """A process's end in words."""
    if code == -signal.SIGKILL:
        return (
            "The trainer process was killed (signal 9); if nobody did that by hand, "
            "the machine ran out of memory."
        )
    return f"The trainer process {in_words(code)}; the worker's log may have its last words."


def _read_messages(stream: IO[str], messages: "queue.SimpleQueue[TrainerMessage | None]") -> None:
    """The end of the stream, however it came, is told as None."""
    try:
        for text in stream:
            messages.put(json.loads(text))
    except ValueError:
        log.exception("trainer_line_unreadable")
    finally:
        messages.put(None)
