"""``evenkeel up`` as a user starts it, and helpers for its jobs."""

import os
import re
import signal
import subprocess
from pathlib import Path

import httpx

from shared.infra.child_process import build_module_command, build_module_environment
from tests.processes import children, command_line, descendants, until

READY = re.compile(r"Evenkeel is ready at (\S+)")
FAST = {  # the same mechanisms with shorter periods
    "EVENKEEL_LEASE_SECONDS": "3",
    "EVENKEEL_HEARTBEAT_SECONDS": "0.5",
    "EVENKEEL_REQUEUE_SECONDS": "4",
    "EVENKEEL_TICK_SECONDS": "0.5",
}

TINY = (
    "--model",
    "tiny-bert",
    "--batch-size",
    "8",
    "--reinit-layers",
    "1",
    "--learning-rate",
    "6.4e-4",
    "--text-column",
    "text",
    "--label-column",
    "label",
)
ENDLESS = ("--max-steps", "20000", "--detach")


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without its EVENKEEL_* variables."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")
    }
    return {**inherited, **build_module_environment(), "COLUMNS": "200", **settings}


def evenkeel(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        build_module_command("cli", *arguments),
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )


class RunningStack:
    """A running ``evenkeel up`` with a data folder of its own."""

    def __init__(self, home: Path, models: Path, **settings: str) -> None:
        self.home = home
        self.output = home.with_name(f"{home.name}.txt")
        with self.output.open("w") as stream:
            self.process = subprocess.Popen(
                build_module_command(
                    "cli", "up", "--home", str(home), "--port", "0", "--workers", "2"
                ),
                env=environment(EVENKEEL_MODEL_DIRS=str(models), **FAST, **settings),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        until(
            lambda: self.process.poll() is not None or READY.search(self.text()) is not None,
            self.text,
        )
        ready = READY.search(self.text())
        assert ready is not None, self.text()
        self.url = ready[1]

    def text(self) -> str:
        return self.output.read_text()

    def evenkeel(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return evenkeel(*arguments, EVENKEEL_URL=self.url)

    def children(self) -> dict[str, int]:
        """Return the process ids of the four children that are running."""
        marks = {
            "redis": "redis-server",
            "sweeper": "-m worker.maintenance.sweeper",
            "worker": "-m worker ",
            "api": "-m api ",
        }
        found: dict[str, int] = {}
        for pid in children(self.process.pid):
            command = command_line(pid)
            found |= {part: pid for part, mark in marks.items() if mark in command}
        return found

    def everyone(self) -> list[int]:
        return descendants(self.process.pid)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def reviews(path: Path, rows: int = 60) -> Path:
    """Write a small data set with two labels that differ in one word."""
    lines = [
        f"{'a good' if i % 2 else 'a dull'} film number {i},{'pos' if i % 2 else 'neg'}"
        for i in range(rows)
    ]
    path.write_text("\n".join(["text,label", *lines, ""]), encoding="utf-8")
    return path


def create_job(stack: RunningStack, *train: str) -> str:
    done = stack.evenkeel("train", *train)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(re.findall(r"ftjob-\w+", done.stdout)[0])


def get_status(stack: RunningStack, job: str) -> str:
    return str(httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{job}").json()["status"])


def count_steps(stack: RunningStack, job: str) -> int:
    return int(httpx.get(f"{stack.url}/v1/fine_tuning/jobs/{job}").json()["progress"]["steps_done"])


def await_training(stack: RunningStack, job: str) -> None:
    until(
        lambda: count_steps(stack, job) > 0,
        lambda: f"{get_status(stack, job)}\n{stack.text()}",
        seconds=120,
    )
