"""The client that polls at a fixed rate: what it calls latency, an error and an unchanged
answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.open_loop import Sample, measure_latency

RATE, SECONDS = 100, 0.5
Answer = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()
            await writer.wait_closed()


def asked(answer: Answer, *, conditional: bool = False) -> Sample:
    async def story() -> Sample:
        async with server(answer) as port:
            return await measure_latency(
                port, "/", rate=RATE, seconds=SECONDS, connections=2, conditional=conditional
            )

    return asyncio.run(story())


OK = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 2\r\n\r\n{}'
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'


def test_every_request_is_sent_and_counted() -> None:
    async def answer(_: bytes) -> bytes:
        return OK

    sample = asked(answer)
    assert (sample.statuses, sample.errors) == ({200: RATE * SECONDS}, 0)


def test_those_that_were_due_during_a_stall_are_as_late_as_they_were() -> None:
    stalled: list[bool] = []

    async def answer(_: bytes) -> bytes:
        if not stalled:
            stalled.append(True)
            await asyncio.sleep(0.3)
        return OK

    late = sum(latency > 0.05 for latency in asked(answer).latencies)
    assert late > 5  # on the connection that stalled; a closed loop would have seen one


def test_the_last_tag_is_sent_along() -> None:
    async def answer(head: bytes) -> bytes:
        return NOT_MODIFIED if b'If-None-Match: "a"' in head else OK

    sample = asked(answer, conditional=True)
    assert sample.statuses == {200: 2, 304: RATE * SECONDS - 2}
    assert sample.errors == 0


BROKEN = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def test_anything_else_is_an_error() -> None:
    async def answer(_: bytes) -> bytes:
        return BROKEN

    assert asked(answer).errors == RATE * SECONDS
