"""A burst of requests leaves room for others between its beginnings."""

import asyncio

from api.middleware.pacing import RequestPacer


def test_a_burst_begins_a_few_per_round_in_its_order() -> None:
    async def run() -> tuple[list[int], list[int]]:
        pacer = RequestPacer(per_round=3)
        begun: list[int] = []
        seen: list[int] = []

        async def begin(number: int) -> None:
            await pacer.take_turn()
            begun.append(number)

        burst = [asyncio.create_task(begin(number)) for number in range(50)]
        burst[20].cancel()
        while len(begun) < 49:
            await asyncio.sleep(0)  # a round of the event loop
            seen.append(len(begun))
        return begun, seen

    begun, seen = asyncio.run(run())
    assert begun == [number for number in range(50) if number != 20]
    steps = [after - before for before, after in zip([0, *seen], seen, strict=False)]
    assert max(steps) <= 6  # those that need not wait, and the first that do


def test_a_single_request_does_not_wait() -> None:
    async def run() -> None:
        pacer = RequestPacer(per_round=1)
        for _ in range(5):
            turn = pacer.take_turn()
            try:
                turn.send(None)
            except StopIteration:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            else:
                raise AssertionError("It waited.")

    asyncio.run(run())
