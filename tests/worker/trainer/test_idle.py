"""A trainer without work: it gives memory back, and ends after a while."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.infra.machine_memory import read_resident_memory
from shared.infra.settings import Settings
from tests.worker.training.runs import make_spec
from worker.trainer.process import Trainer
from worker.trainer.protocol import RunCommand, SpecPayload, TrainerReady, is_last_message

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Trainer]:
    started = Trainer(Settings(home=tmp_path, trainer_idle_seconds=1.0))
    yield started
    started.kill()


def train(trainer: Trainer, folder: Path, base_model: Path) -> int:
    """Train a run to its end; return the process that did."""
    folder.mkdir()
    spec = make_spec(folder, base_model)
    trainer.submit_command(RunCommand(run=SpecPayload.model_validate(spec.model_dump(mode="json"))))
    [pid] = list_children()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        message = trainer.receive_message(1.0)
        if message is None or isinstance(message, TrainerReady):
            continue
        if is_last_message(message):
            return pid
    raise AssertionError("the run did not end")


def list_children() -> list[int]:
    """List the trainers that are children of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    found = []
    for child in children:
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"worker.trainer" in command:
            found.append(int(child))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_a_trainer_without_work_ends_and_the_next_run_starts_another(
    trainer: Trainer, tmp_path: Path, tiny_bert: Path
) -> None:
    first = train(trainer, tmp_path / "a", tiny_bert)
    trainer.end_when_idle()
    assert wait_until(lambda: not list_children())
    assert train(trainer, tmp_path / "b", tiny_bert) != first


def test_a_trainer_with_work_stays(trainer: Trainer, tmp_path: Path, tiny_bert: Path) -> None:
    first = train(trainer, tmp_path / "a", tiny_bert)
    trainer.end_when_idle()
    assert train(trainer, tmp_path / "b", tiny_bert) == first
    time.sleep(2.0)  # longer than the timer that the second run has cancelled
    assert list_children() == [first]


def test_a_trainer_that_never_started_needs_not_end(trainer: Trainer) -> None:
    trainer.end_when_idle()
    assert list_children() == []


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a function of glibc")
def test_a_reservation_ends_with_its_run(trainer: Trainer, tmp_path: Path, tiny_bert: Path) -> None:
    pid = train(trainer, tmp_path / "a", tiny_bert)
    folder = tmp_path / "cache" / "memory"
    assert wait_until(lambda: (folder / "lock").exists() and not list(folder.glob("*.json")))
    assert read_resident_memory(pid) > 0
