"""The trainer process by its protocol: real processes, real pipes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.worker.training.runs import Trained, make_recipe, make_spec, make_task
from worker.training.spec import RunSpec

ROOT = Path(__file__).parents[2]
ENDLESS = make_recipe(max_steps=1_000_000, eval_points=1000)


class Trainer:
    """The parent's end of the pipe."""

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

    def wish(self, **line: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def run(self, spec: RunSpec) -> None:
        self.wish(run=spec.model_dump(mode="json"))

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
        lines = [self.line()]
        while not wanted(lines[-1]):
            lines.append(self.line())
        return lines

    def end(self) -> tuple[str, str]:
        """Close its input; what else it said on both pipes."""
        return self.process.communicate(timeout=60)


def is_last(line: dict[str, Any]) -> bool:
    return "failed" in line or "stopped" in line or event_type(line) == "finished"


def is_step(line: dict[str, Any]) -> bool:
    return event_type(line) == "step"


def event_type(line: dict[str, Any]) -> str | None:
    return line["event"]["type"] if "event" in line else None


@pytest.fixture(scope="module")
def warm() -> Iterator[Trainer]:
    """One process for all the tests that leave it alive: that it can be one is what it is for."""
    started = Trainer()
    assert started.line()["ready"]["torch"] == torch.__version__
    yield started
    started.process.kill()
    started.process.communicate()


@pytest.fixture
def trainer(warm: Trainer) -> Trainer:
    assert warm.process.poll() is None
    return warm


def test_runs_are_told_event_by_event_and_equal_those_of_this_process(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    here = Trained(make_spec(tmp_path, tiny_bert))
    for attempt in ("first, cold", "second, with everything cached"):
        trainer.run(make_spec(tmp_path, tiny_bert))
        lines = trainer.until(is_last)
        assert {line["run_id"] for line in lines} == {"ftrun-1"}
        assert [line["event"] for line in lines] == [
            event.model_dump(mode="json") for event in here.events
        ], attempt


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_whatever_a_library_prints_goes_to_the_log(trainer: Trainer) -> None:
    descriptors = Path(f"/proc/{trainer.process.pid}/fd")
    assert (descriptors / "1").readlink() == (descriptors / "2").readlink()
    assert trainer.process.stdout is not None
    protocol = Path(f"/proc/self/fd/{trainer.process.stdout.fileno()}").readlink()
    assert [fd.readlink() for fd in descriptors.iterdir()].count(protocol) == 1


def test_a_run_is_stopped_in_mid_training_and_the_process_stays_for_the_next(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    trainer.run(make_spec(tmp_path, tiny_bert, run_id="ftrun-a", recipe=ENDLESS))
    trainer.until(is_step)
    trainer.wish(stop="ftrun-a")
    assert trainer.until(is_last)[-1] == {"run_id": "ftrun-a", "stopped": True}
    trainer.run(make_spec(tmp_path, tiny_bert, run_id="ftrun-b"))
    assert trainer.until(is_last)[-1]["event"]["type"] == "finished"


def test_a_stopped_run_may_be_asked_for_again(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    trainer.wish(stop="ftrun-1")
    trainer.run(make_spec(tmp_path, tiny_bert))
    assert trainer.until(is_last)[-1]["event"]["type"] == "finished"


def test_a_run_that_waits_can_be_stopped_before_it_begins(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    trainer.run(make_spec(tmp_path, tiny_bert, run_id="ftrun-a", recipe=ENDLESS))
    trainer.run(make_spec(tmp_path, tiny_bert, run_id="ftrun-b"))
    trainer.until(is_step)
    trainer.wish(stop="ftrun-b")
    trainer.wish(stop="ftrun-a")
    assert trainer.until(is_last)[-1] == {"run_id": "ftrun-a", "stopped": True}
    assert trainer.until(is_last) == [{"run_id": "ftrun-b", "stopped": True}]


def test_runs_of_a_stack_are_told_each_by_itself_and_stopped_each_by_itself(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    specs = [
        make_spec(
            tmp_path,
            tiny_bert,
            run_id=f"ftrun-{seed}",
            init_seed=seed,
            data_seed=seed,
            recipe=ENDLESS,
        )
        for seed in range(3)
    ]
    trainer.wish(stack=[spec.model_dump(mode="json") for spec in specs])
    trainer.until(is_step)
    trainer.wish(stop="ftrun-1")
    assert trainer.until(is_last)[-1] == {"run_id": "ftrun-1", "stopped": True}
    trainer.until(is_step)  # the others go on
    trainer.wish(stop="ftrun-2")
    trainer.wish(stop="ftrun-0")
    last = [trainer.until(is_last)[-1] for _ in range(2)]
    assert {(line["run_id"], line["stopped"]) for line in last} == {
        ("ftrun-0", True),
        ("ftrun-2", True),
    }
    short = [spec.model_copy(update={"recipe": make_recipe()}) for spec in specs]
    trainer.wish(stack=[spec.model_dump(mode="json") for spec in short])
    lines = [line for _ in short for line in trainer.until(is_last)]
    for spec in short:
        told = [event_type(line) for line in lines if line["run_id"] == spec.run_id]
        assert (told[0], told[-1], told.count("step")) == (
            "started",
            "finished",
            spec.recipe.max_steps,
        )


def test_what_is_wrong_with_a_whole_stack_is_told_of_each_of_its_runs(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert).model_dump(mode="json")
    trainer.wish(stack=[spec, {"run_id": "ftrun-2"}])
    lines = [trainer.until(is_last)[-1] for _ in range(2)]
    assert [(line["run_id"], line["failed"]["code"]) for line in lines] == [
        ("ftrun-1", "internal_error"),
        ("ftrun-2", "internal_error"),
    ]


def test_failures_are_told_in_words_and_do_not_end_the_process(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    sound = make_spec(tmp_path, tiny_bert)
    failing = {
        "invalid_value": sound.model_copy(update={"task": make_task(label_column="mood")}),
        "base_model_unreadable": sound.model_copy(update={"base_model": tmp_path}),
        "internal_error": sound.model_copy(update={"device": "cuda:77"}),
    }
    for code, spec in failing.items():
        trainer.run(spec)
        failed = trainer.until(is_last)[-1]["failed"]
        assert failed["code"] == code
        assert len(failed["message"]) > 20
    trainer.wish(run={"run_id": "ftrun-old", "of": "another version"})
    failed = trainer.until(is_last)[-1]
    assert failed["run_id"] == "ftrun-old"
    assert "base_model" in failed["failed"]["message"]
    trainer.run(sound)
    assert trainer.until(is_last)[-1]["event"]["type"] == "finished"


def test_the_end_of_its_input_stops_a_run_and_ends_it_and_bad_lines_are_logged(
    tmp_path: Path, tiny_bert: Path
) -> None:
    trainer = Trainer()
    assert trainer.process.stdin is not None
    for line in ("{", "[]", "7", '{"run": {}}', '{"run": 3}', "{}"):
        trainer.process.stdin.write(line + "\n")
    trainer.run(make_spec(tmp_path, tmp_path, run_id="ftrun-a"))
    trainer.run(make_spec(tmp_path, tiny_bert, run_id="ftrun-b", recipe=ENDLESS))
    trainer.until(is_step)
    rest, log = trainer.end()
    assert json.loads(rest.splitlines()[-1]) == {"run_id": "ftrun-b", "stopped": True}
    assert trainer.process.returncode == 0
    assert log.count("no wish of the protocol") == 6
    assert "run ftrun-a failed" in log
    assert "Traceback" in log


def test_it_does_not_start_for_a_parent_that_is_gone() -> None:
    trainer = Trainer("--parent", "1" if os.getpid() != 1 else "2")
    out, log = trainer.end()
    assert out == ""
    assert "has ended" in log
    assert trainer.process.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_it_dies_with_its_parent_even_in_the_middle_of_a_step(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert, recipe=ENDLESS)
    # the parent keeps the trainer's input open in a second process, so that its end cannot be
    # what ends the trainer
    parent = f"""
import os, subprocess, sys
reader, writer = os.pipe()
trainer = subprocess.Popen([sys.executable, "-m", "worker.trainer", "--parent", str(os.getpid())], stdin=reader)
keeper = subprocess.Popen(["sleep", "60"], pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
        assert ended(trainer)
    finally:
        os.kill(keeper, signal.SIGKILL)
        process.stdout.close()


def ended(pid: int) -> bool:
    """Wait for a process that is not our child to go."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
