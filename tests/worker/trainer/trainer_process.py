"""A real trainer process and the lines that it writes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.worker.training.runs import make_recipe
from worker.training.spec import RunSpec

ROOT = Path(__file__).parents[3]


ENDLESS = make_recipe(max_steps=1_000_000, eval_points=1000)


class Trainer:
    """The parent's end of the pipes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "worker.trainer",
                *(arguments or ("--parent", str(os.getpid()))),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send_command(self, **line: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def run(self, spec: RunSpec) -> None:
        self.send_command(run=spec.model_dump(mode="json"))

    def read_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def read_until(self, wanted: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
        lines = [self.read_line()]
        while not wanted(lines[-1]):
            lines.append(self.read_line())
        return lines

    def close(self) -> tuple[str, str]:
        """Close the input; return the rest of both outputs."""
        return self.process.communicate(timeout=60)


def is_last(line: dict[str, Any]) -> bool:
    return "failed" in line or "stopped" in line or get_event_type(line) == "finished"


def is_step(line: dict[str, Any]) -> bool:
    return get_event_type(line) == "step"


def get_event_type(line: dict[str, Any]) -> str | None:
    return line["event"]["type"] if "event" in line else None
