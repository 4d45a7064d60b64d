"""Readers that share a read: how many are made, and that none is older than the wish for it."""

import asyncio
import threading

import pytest

from api.single_flight import SingleFlight


class Source:
    """A number that is read slowly: each read waits to be let go."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.go = threading.Semaphore(0)

    def read(self) -> int:
        seen = self.value
        self.reads += 1
        assert self.go.acquire(timeout=5)
        return seen


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_who_asks_during_a_read_shares_the_next_and_sees_what_came_before_it() -> None:
    async def story() -> tuple[list[int], int]:
        source, reads = Source(), SingleFlight[int]()
        first = asyncio.create_task(reads.get("job", source.read))
        await until(lambda: source.reads == 1)
        source.value = 1
        later = [asyncio.create_task(reads.get("job", source.read)) for _ in range(20)]
        await asyncio.sleep(0.01)
        source.go.release(2)
        return [await first, *[await task for task in later]], source.reads

    assert asyncio.run(story()) == ([0] + [1] * 20, 2)


def test_different_keys_do_not_wait_for_each_other() -> None:
    async def story() -> int:
        source, reads = Source(), SingleFlight[int]()
        tasks = [asyncio.create_task(reads.get(key, source.read)) for key in ("a", "b")]
        await until(lambda: source.reads == 2)
        source.go.release(2)
        return sum([await task for task in tasks])

    assert asyncio.run(story()) == 0


def test_a_failed_read_fails_for_all_and_the_next_is_a_new_one() -> None:
    def fail() -> int:
        raise LookupError("gone")

    async def story() -> int:
        reads = SingleFlight[int]()
        both = await asyncio.gather(
            *(reads.get("job", fail) for _ in range(2)), return_exceptions=True
        )
        assert [type(found) for found in both] == [LookupError, LookupError]
        return await reads.get("job", lambda: 3)

    assert asyncio.run(story()) == 3


def test_a_caller_that_goes_away_leaves_the_others_their_answer() -> None:
    async def story() -> int:
        source, reads = Source(), SingleFlight[int]()
        leaving, staying = (asyncio.create_task(reads.get("job", source.read)) for _ in range(2))
        await until(lambda: source.reads == 1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        source.go.release()
        return await staying

    assert asyncio.run(story()) == 0
