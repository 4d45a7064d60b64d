"""Every process ends in time when it is told to, although its database answers nobody."""

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.timings import PROCESS_STOP_S
from tests.faults.conftest import Undisturbed

SQLITE = pytest.mark.parametrize("kind", ["sqlite"], indirect=True, scope="session")
SLACK_S = 2.0
"""For a machine that runs other tests at the same time."""


@contextmanager
def lock_database(url: str) -> Iterator[None]:
    """Hold the lock for which every writer waits."""
    connection = sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@SQLITE
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_worker_that_cannot_write(undisturbed: Undisturbed, number: int) -> None:
    stack, job_id = undisturbed.stack, undisturbed.start()
    stack.wait_for_step(job_id, 5)
    with lock_database(stack.database_url):
        started = time.monotonic()
        stack.terminate("worker", number)
        assert time.monotonic() - started < PROCESS_STOP_S + SLACK_S
    stack.start("worker")
    undisturbed.expect_the_same_of(job_id)


@pytest.mark.long
@SQLITE
def test_an_api_and_a_sweeper_that_cannot_write(undisturbed: Undisturbed) -> None:
    stack, job_id = undisturbed.stack, undisturbed.start()

    def pause() -> None:
        try:
            httpx.post(
                f"http://127.0.0.1:{stack.port}/v1/fine_tuning/jobs/{job_id}/pause", timeout=30
            )
        except httpx.TransportError:
            return  # the server has gone, as it should

    with lock_database(stack.database_url):
        waiting = threading.Thread(target=pause)
        waiting.start()
        time.sleep(1.0)  # until the request waits for the lock
        for part in ("api", "worker.maintenance.sweeper"):
            started = time.monotonic()
            stack.terminate(part)
            assert time.monotonic() - started < PROCESS_STOP_S + SLACK_S
        waiting.join()
    stack.start("api", "worker.maintenance.sweeper")
    undisturbed.expect_the_same_of(job_id)
