"""Heavy work: other requests keep their threads, and too much of it is refused at once."""

import asyncio
import threading

import pytest

from api.heavy_work import HeavyLane
from shared.domain.limit_errors import ServiceBusy


def test_a_lane_runs_some_lets_some_wait_and_refuses_the_rest() -> None:
    async def fill() -> None:
        lane = HeavyLane("things", running=2, waiting=3)
        let_go = threading.Event()
        running: list[int] = []

        def work(number: int) -> int:
            running.append(number)
            let_go.wait(60)
            return number

        tasks = [asyncio.create_task(lane.run("owner", work, number)) for number in range(5)]
        while len(running) < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(ServiceBusy, match="Too many things are waiting") as refused:
            await lane.run("owner", work, 5)
        assert int(refused.value.response_headers["retry-after"]) >= 1
        # more threads than the lane has are free for others meanwhile
        assert await asyncio.gather(*(asyncio.to_thread(int, number) for number in range(20)))
        assert sorted(running) == [0, 1]
        let_go.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
        assert await lane.run("owner", work, 6) == 6

    asyncio.run(fill())


def test_a_failure_leaves_its_place() -> None:
    def fail() -> None:
        raise ValueError("broken")

    async def run() -> None:
        lane = HeavyLane("things", running=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ValueError, match="broken"):
                await lane.run("owner", fail)

    asyncio.run(run())
