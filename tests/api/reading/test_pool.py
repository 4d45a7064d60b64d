"""The pool of reading processes: results, errors, limits, and recovery after each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from api.reading.limits import ReadingLimits
from api.reading.pool import ReaderPool
from shared.datasets.errors import ReadingLimitExceeded
from shared.domain.errors import InvalidValue, ServiceUnavailable
from tests.servers import wait_until


@pytest.fixture
def pool() -> Iterator[ReaderPool]:
    pool = ReaderPool(2, ReadingLimits(seconds=20))
    yield pool
    pool.close()


def get_process_id() -> int:
    return os.getpid()


def refuse(message: str, *, param: str) -> None:
    raise InvalidValue(message, param=param)


def fail() -> None:
    raise KeyError("a bug")


def run_forever() -> None:
    while True:
        pass


def take_memory(count: int) -> int:
    return len(b"x" * count)


def hold_memory_and_get_process_id(count: int) -> int:
    held = b"x" * count
    return os.getpid() if held else 0


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def wait(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def get_environment() -> dict[str, str]:
    return dict(os.environ)


def test_tasks_run_in_one_process_that_is_kept(pool: ReaderPool) -> None:
    first, second = pool.run(get_process_id), pool.run(get_process_id)
    assert first == second != os.getpid()


def test_tasks_at_a_time_have_a_process_each(pool: ReaderPool) -> None:
    with ThreadPoolExecutor(4) as threads:
        processes = set(threads.map(lambda _: pool.run(wait, 0.3), range(4)))
    assert len(processes) == 2


def test_an_error_arrives_with_its_parameter_and_the_process_is_kept(pool: ReaderPool) -> None:
    process = pool.run(get_process_id)
    with pytest.raises(InvalidValue, match="no such column") as caught:
        pool.run(refuse, "no such column", param="task.label_column")
    assert caught.value.param == "task.label_column"
    with pytest.raises(KeyError, match="a bug"):
        pool.run(fail)
    assert pool.run(get_process_id) == process


def test_a_task_without_end_is_ended_and_the_next_one_runs() -> None:
    pool = ReaderPool(1, ReadingLimits(seconds=0.5))
    with pytest.raises(ReadingLimitExceeded, match=r"0\.5 seconds"):
        pool.run(run_forever)
    assert pool.run(take_memory, 3) == 3
    pool.close()


def test_processor_time_is_limited_for_all_tasks_or_for_one() -> None:
    pool = ReaderPool(1, ReadingLimits(cpu_seconds=0.4))
    with pytest.raises(ReadingLimitExceeded, match=r"0\.4 seconds of processor time"):
        pool.run(run_forever)
    with pytest.raises(ReadingLimitExceeded, match=r"0\.2 seconds of processor time"):
        pool.run_within(0.2, run_forever)
    assert pool.run(wait, 0.8)  # waiting takes no processor time
    assert pool.run_within(5.0, take_memory, 3) == 3
    pool.close()


def test_a_task_that_wants_too_much_memory_is_refused() -> None:
    pool = ReaderPool(1, ReadingLimits(memory_bytes=1 << 30))
    with pytest.raises(ReadingLimitExceeded, match="1,024 MB"):
        pool.run(take_memory, 2 << 30)
    assert pool.run(take_memory, 3) == 3
    pool.close()


def test_memory_is_returned_after_a_large_task() -> None:
    pool = ReaderPool(1, ReadingLimits(kept_memory_bytes=200 << 20))
    large = pool.run(hold_memory_and_get_process_id, 300 << 20)
    assert pool.run(get_process_id) != large
    pool.close()


def test_a_process_without_tasks_ends_and_is_replaced() -> None:
    pool = ReaderPool(1, ReadingLimits(idle_seconds=0.2))
    first = pool.run(get_process_id)
    time.sleep(0.6)
    assert pool.run(get_process_id) != first
    pool.close()


def test_a_process_killed_by_the_kernel_is_told_as_a_limit(pool: ReaderPool) -> None:
    with pytest.raises(ReadingLimitExceeded, match="memory"):
        pool.run(die, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="SIGSEGV"):
        pool.run(die, signal.SIGSEGV)
    assert pool.run(take_memory, 3) == 3


def test_a_process_killed_between_tasks_is_replaced(pool: ReaderPool) -> None:
    process = psutil.Process(pool.run(get_process_id))
    process.kill()
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, description="its end")
    assert pool.run(get_process_id) != process.pid


def test_the_process_does_not_know_the_settings(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENKEEL_DATABASE_URL", "postgresql://user:secret@host/db")
    assert not any(name.startswith("EVENKEEL_") for name in pool.run(get_environment))


def test_closing_does_not_wait_for_a_task() -> None:
    pool = ReaderPool(1)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(pool.run, wait, 60.0)
        wait_until(lambda: bool(pool._started), description="the start of the process")
        pool.close()
        with pytest.raises(ServiceUnavailable, match="shutting down"):
            running.result(timeout=30)


PARENT = """
import os, time
from api.reading.pool import ReaderPool
print(ReaderPool(1).run(os.getpid), flush=True)
time.sleep(60)
"""


def test_the_process_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        assert psutil.pid_exists(process)
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(process), description="the end of the process")
