"""Shared reads: how many are made, and that none is older than the call."""

import asyncio
import threading

import pytest

from api.single_flight import SingleFlight


class Source:
    """A number whose reads block until the test releases them."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.released = threading.Semaphore(0)

    def read(self) -> int:
        value = self.value
        self.reads += 1
        assert self.released.acquire(timeout=5)
        return value


async def wait_until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_calls_during_a_read_share_the_next_read() -> None:
    async def scenario() -> tuple[list[int], int]:
        source, reads = Source(), SingleFlight[int]()
        first = asyncio.create_task(reads.get("job", source.read))
        await wait_until(lambda: source.reads == 1)
        source.value = 1
        later = [asyncio.create_task(reads.get("job", source.read)) for _ in range(20)]
        await asyncio.sleep(0.01)
        source.released.release(2)
        return [await first, *[await task for task in later]], source.reads

    assert asyncio.run(scenario()) == ([0] + [1] * 20, 2)


def test_different_keys_do_not_wait_for_each_other() -> None:
    async def scenario() -> int:
        source, reads = Source(), SingleFlight[int]()
        tasks = [asyncio.create_task(reads.get(key, source.read)) for key in ("a", "b")]
        await wait_until(lambda: source.reads == 2)
        source.released.release(2)
        return sum([await task for task in tasks])

    assert asyncio.run(scenario()) == 0


def test_a_failed_read_fails_for_all_its_callers_only() -> None:
    def fail() -> int:
        raise LookupError("gone")

    async def scenario() -> int:
        reads = SingleFlight[int]()
        both = await asyncio.gather(
            *(reads.get("job", fail) for _ in range(2)), return_exceptions=True
        )
        assert [type(result) for result in both] == [LookupError, LookupError]
        return await reads.get("job", lambda: 3)

    assert asyncio.run(scenario()) == 3


def test_a_cancelled_caller_does_not_cancel_the_read() -> None:
    async def scenario() -> int:
        source, reads = Source(), SingleFlight[int]()
        leaving, staying = (asyncio.create_task(reads.get("job", source.read)) for _ in range(2))
        await wait_until(lambda: source.reads == 1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        source.released.release()
        return await staying

    assert asyncio.run(scenario()) == 0
