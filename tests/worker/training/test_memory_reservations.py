"""Reservations of memory by processes of one machine, and the wait of a run for its own."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.encoders.training_memory import NetworkSize, TrainingLoad, estimate_peak
from shared.infra.machine_memory import read_resident_memory
from tests.worker.training.runs import make_recipe, make_spec, never_stop
from worker.training import memory_reservations
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import NotEnoughMemory, StopRequested
from worker.training.events import Finished, MemoryShort
from worker.training.memory_gate import (
    choose_stack_for_memory,
    estimate_run_peak,
    wait_for_memory,
)
from worker.training.memory_reservations import MemoryReservations
from worker.training.run import train_run
from worker.training.spec import RunSpec

GB = 10**9
OTHER = """
import sys
from pathlib import Path
from worker.training.memory_reservations import MemoryReservations

reservations = MemoryReservations(Path(sys.argv[1]))
assert reservations.reserve(int(sys.argv[2])) is None
print("reserved", flush=True)
sys.stdin.readline()
"""


@contextmanager
def reserve_elsewhere(folder: Path, size: int) -> Iterator["subprocess.Popen[str]"]:
    """Reserve memory in another process, until it is killed."""
    command = [sys.executable, "-c", OTHER, str(folder), str(size)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reserved\n"
        yield process
        process.kill()


@pytest.fixture
def own_bytes() -> int:
    return read_resident_memory(os.getpid())


@pytest.fixture
def own(tmp_path: Path) -> Iterator[MemoryReservations]:
    reservations = MemoryReservations(tmp_path / "memory")
    yield reservations
    reservations.release()


def set_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let the machine have so many free bytes for runs."""
    monkeypatch.setattr(
        memory_reservations,
        "read_free_memory",
        lambda: size + memory_reservations._FREE_FOR_OTHERS_BYTES,
    )


def load_spec(folder: Path, base_model: Path, **changes: object) -> tuple[RunSpec, Splits]:
    spec = make_spec(folder, base_model, **changes)  # type: ignore[arg-type]
    return spec, load_splits(spec, TextCache(), never_stop)


def test_what_others_reserved_and_do_not_hold_yet_is_not_free(
    own: MemoryReservations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_bytes: int
) -> None:
    set_free(monkeypatch, 10 * GB)
    with reserve_elsewhere(tmp_path / "memory", 6 * GB) as other:
        free = own.reserve(5 * GB + own_bytes)
        assert free is not None
        assert free.others == 1
        held = read_resident_memory(other.pid)
        assert free.bytes - own_bytes == pytest.approx(4 * GB + held, abs=GB / 10)
        assert own.reserve(3 * GB + own_bytes) is None
        own.release()
    # the system has unlocked the file of the killed process
    assert own.reserve(9 * GB + own_bytes) is None


def test_a_reservation_of_ones_own_is_replaced(
    own: MemoryReservations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_bytes: int
) -> None:
    set_free(monkeypatch, 4 * GB)
    for _ in range(3):
        assert own.reserve(3 * GB + own_bytes) is None
    assert len(list((tmp_path / "memory").glob("*.json"))) == 1
    own.release()
    own.release()
    assert not list((tmp_path / "memory").glob("*.json"))


def test_without_other_runs_three_quarters_of_an_estimate_are_enough(
    own: MemoryReservations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_bytes: int
) -> None:
    set_free(monkeypatch, 3 * GB)
    assert own.reserve(4 * GB + own_bytes) is not None
    assert own.reserve(4 * GB + own_bytes, least=2 * GB + own_bytes) is None
    own.release()
    with reserve_elsewhere(tmp_path / "memory", 1):
        assert own.reserve(4 * GB + own_bytes, least=4 * GB + own_bytes) is not None


def test_a_run_waits_until_another_gives_its_memory_back(
    own: MemoryReservations,
    tmp_path: Path,
    tiny_bert: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_bytes: int,
) -> None:
    spec, splits = load_spec(tmp_path, tiny_bert)
    needed = estimate_run_peak(spec, splits)
    set_free(monkeypatch, max(0, needed - own_bytes) + GB)
    with reserve_elsewhere(tmp_path / "memory", 3 * GB) as other:
        threading.Timer(1.5, other.kill).start()
        began = time.monotonic()
        events = list(train_run(spec, lambda: False, memory=own))
    assert time.monotonic() - began > 1.4
    short = events[0]
    assert isinstance(short, MemoryShort)
    assert (short.needed_bytes, short.wanted) == (needed, 1)
    assert short.free_bytes < needed
    assert isinstance(events[-1], Finished)


def test_the_wait_ends_when_the_run_stops_or_pauses(
    own: MemoryReservations,
    tmp_path: Path,
    tiny_bert: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_bytes: int,
) -> None:
    spec, splits = load_spec(tmp_path, tiny_bert)
    set_free(monkeypatch, -own_bytes)  # what this process holds counts as its own
    with reserve_elsewhere(tmp_path / "memory", GB):
        events = wait_for_memory(spec, splits, own, never_stop, lambda: True)
        assert isinstance(next(events), MemoryShort)
        with pytest.raises(StopRequested):
            next(events)


def test_a_run_that_fits_on_no_account_is_refused(
    own: MemoryReservations,
    tmp_path: Path,
    tiny_bert: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_bytes: int,
) -> None:
    spec, splits = load_spec(tmp_path, tiny_bert)
    set_free(monkeypatch, -own_bytes + 10**8)
    with pytest.raises(NotEnoughMemory, match=r"needs about 0\.\d GB .* has 0\.1 GB free"):
        list(wait_for_memory(spec, splits, own, never_stop))


def test_a_stack_is_as_large_as_the_memory_allows(
    own: MemoryReservations,
    tmp_path: Path,
    tiny_bert: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_bytes: int,
) -> None:
    spec, splits = load_spec(tmp_path, tiny_bert)
    three = estimate_run_peak(spec, splits, stacked=300)
    assert three > estimate_run_peak(spec, splits, stacked=200)
    set_free(monkeypatch, three - own_bytes + 10_000_000)
    size = choose_stack_for_memory(spec, splits, own, 1000)
    assert 250 <= size <= 350
    [short] = wait_for_memory(spec, splits, own, never_stop, stacked=size, wanted=1000)
    assert (short.stacked, short.wanted) == (size, 1000)
    set_free(monkeypatch, 10**12)
    assert choose_stack_for_memory(spec, splits, own, 1000) == 1000


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ({"select": "last"}, {"select": "best_checkpoint"}),
        ({}, {"mixout": 0.5}),
    ],
)
def test_the_estimate_follows_the_recipe(
    smaller: dict[str, object], larger: dict[str, object], tmp_path: Path, tiny_bert: Path
) -> None:
    estimates = []
    for name, changes in (("smaller", smaller), ("larger", larger)):
        folder = tmp_path / name
        folder.mkdir()
        spec, splits = load_spec(folder, tiny_bert, recipe=make_recipe(**changes))
        estimates.append(estimate_run_peak(spec, splits))
    assert estimates[0] < estimates[1]


def test_the_estimate_counts_each_phase() -> None:
    size = NetworkSize(100_000_000, 80_000_000, layers=12, width=768, heads=12)
    short = estimate_peak(size, TrainingLoad("float32", [8] * 8, 1))
    long = estimate_peak(size, TrainingLoad("float32", [512] * 16, 1))
    half = estimate_peak(size, TrainingLoad("bfloat16", [512] * 16, 1))
    assert short < half < long
    not_exported = estimate_peak(size, TrainingLoad("float32", [8] * 8, 1, is_exported=False))
    assert not_exported < short
