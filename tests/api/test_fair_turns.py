"""Turns: owners take them one after the other, and nobody keeps anybody out of the queue."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from api.fair_turns import MAX_RETRY_AFTER_S, FairTurns, Turn
from shared.domain.limit_errors import ServiceBusy


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(limited())


async def start(turns: FairTurns, *owners: str) -> list["asyncio.Task[Turn]"]:
    """Start requests, and let each get as far as it can."""
    tasks = [asyncio.create_task(turns.take(owner)) for owner in owners]
    await asyncio.sleep(0)
    return tasks


def count_begun(tasks: list["asyncio.Task[Turn]"]) -> int:
    return sum(task.done() and task.exception() is None for task in tasks)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_owners_take_turns_and_each_owner_s_requests_stay_in_order() -> None:
    async def test() -> None:
        turns = FairTurns("things", 1, 10)
        served: list[str] = []
        running = (await start(turns, "a"))[0].result()
        names = ["a1", "a2", "a3", "b1", "c1", "c2"]
        tasks = dict(zip(names, await start(turns, *(name[0] for name in names)), strict=True))
        for _ in names:
            running.release()
            await settle()
            [name] = [one for one, task in tasks.items() if task.done() and one not in served]
            served.append(name)
            running = tasks[name].result()
        assert served == ["b1", "c1", "a1", "c2", "a2", "a3"]

    run(test)


def test_a_full_queue_has_room_for_another_owner() -> None:
    async def test() -> None:
        turns = FairTurns("things", 2, 4)
        crowd = await start(turns, *["a"] * 6)
        with pytest.raises(ServiceBusy):
            await turns.take("a")
        others = await start(turns, *["b"] * 3)
        await settle()
        displaced = [task for task in crowd if task.done() and task.exception() is not None]
        assert displaced == crowd[:2:-1][::-1]  # the latest three, who may retry
        assert all(isinstance(task.exception(), ServiceBusy) for task in displaced)
        with pytest.raises(ServiceBusy):  # the shares are equal
            await turns.take("b")
        crowd[0].result().release()
        await settle()
        assert count_begun(others) == 1
        for task in [crowd[2], *others[1:]]:
            task.cancel()
        await settle()
        assert not turns._waiting

    run(test)


def test_one_owner_may_use_every_place() -> None:
    async def test() -> None:
        turns = FairTurns("things", 2, 4)
        tasks = await start(turns, *["a"] * 6)
        for number in range(6):
            tasks[number].result().release()
            await settle()
        assert count_begun(tasks) == 6

    run(test)


def test_who_gives_up_leaves_its_place_and_passes_its_turn_on() -> None:
    async def test() -> None:
        turns = FairTurns("things", 1, 3)
        running = (await start(turns, "a"))[0].result()
        leaving, granted, last = await start(turns, "a", "b", "c")
        leaving.cancel()
        await settle()
        running.release()
        granted.cancel()  # in the round in which its turn has come
        await settle()
        assert granted.cancelled()
        assert count_begun([last]) == 1
        last.result().release()
        last.result().release()  # without effect
        first, second = await start(turns, "a", "a")
        await settle()
        assert count_begun([first, second]) == 1
        second.cancel()

    run(test)


def test_a_timeout_in_the_round_of_the_turn_loses_nothing() -> None:
    async def test() -> None:
        turns = FairTurns("things", 1, 8, max_wait_s=0.02)
        for _ in range(20):
            turn = await turns.take("a")
            waiting = await start(turns, "a", "b")
            await asyncio.sleep(0.02)
            turn.release()
            for result in await asyncio.gather(*waiting, return_exceptions=True):
                if isinstance(result, Turn):
                    result.release()
                else:
                    assert isinstance(result, ServiceBusy)
        assert not turns._running
        assert not turns._waiting

    run(test)


def test_a_refusal_says_when_the_queue_will_have_been_served() -> None:
    async def test() -> None:
        turns = FairTurns("things", 1, 2, max_wait_s=0.05)
        running = await turns.take("a")
        with pytest.raises(ServiceBusy):
            await turns.take("a")
        # nothing has ended yet: what runs has run for so long, and two would be ahead
        running.started_at = time.monotonic() - 20
        with pytest.raises(ServiceBusy, match="Too many things are waiting") as refused:
            await turns.take("b")
        seconds = refused.value.response_headers["retry-after"]
        assert 40 <= int(seconds) <= MAX_RETRY_AFTER_S
        assert seconds in refused.value.message
        running.release()
        (await turns.take("a")).release()

    run(test)
