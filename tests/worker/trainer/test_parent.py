"""The trainer ends with its input and with its parent."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.worker.trainer.trainer_process import (
    ENDLESS,
    ROOT,
    Trainer,
    is_step,
)
from tests.worker.training.runs import make_spec


def test_the_end_of_the_input_stops_the_run_and_invalid_lines_are_logged(
    tmp_path: Path, tiny_bert: Path
) -> None:
    trainer = Trainer()
    assert trainer.process.stdin is not None
    for line in ("{", "[]", "7", '{"run": {}}', '{"run": 3}', "{}"):
        trainer.process.stdin.write(line + "\n")
    trainer.run(make_spec(tmp_path, tmp_path, run_id="ftrun-a"))
    trainer.run(make_spec(tmp_path, tiny_bert, run_id="ftrun-b", recipe=ENDLESS))
    trainer.read_until(is_step)
    rest, log = trainer.close()
    assert json.loads(rest.splitlines()[-1]) == {"run_id": "ftrun-b", "stopped": True}
    assert trainer.process.returncode == 0
    assert log.count("command_invalid") == 6
    assert "run ftrun-a failed" in log
    assert "Traceback" in log


def test_it_does_not_start_without_its_parent() -> None:
    trainer = Trainer("--parent", "1" if os.getpid() != 1 else "2")
    out, log = trainer.close()
    assert out == ""
    assert "has ended" in log
    assert trainer.process.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_it_dies_with_its_parent_even_during_a_step(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_spec(tmp_path, tiny_bert, recipe=ENDLESS)
    # a second process keeps the trainer's input open, so that the end of the input cannot end
    # the trainer
    parent = f"""
import os, subprocess, sys
reader, writer = os.pipe()
command = [sys.executable, "-m", "worker.trainer", "--parent", str(os.getpid())]
trainer = subprocess.Popen(command, stdin=reader)
keeper = subprocess.Popen(
    ["sleep", "60"], pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)
os.write(writer, {json.dumps({"run": spec.model_dump(mode="json")}) + chr(10)!r}.encode())
print(trainer.pid, keeper.pid, flush=True)
trainer.wait()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    trainer, keeper = map(int, process.stdout.readline().split())
    try:
        while '"step"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert wait_for_end(trainer)
    finally:
        os.kill(keeper, signal.SIGKILL)
        process.stdout.close()


def wait_for_end(pid: int) -> bool:
    """Wait for the end of a process that is not this process's child."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
