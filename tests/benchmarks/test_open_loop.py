"""The open-loop client: its latencies, errors and unchanged responses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.open_loop import Sample, measure_latency

RATE, SECONDS = 100, 0.5
Answer = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def run_server(answer: Answer) -> AsyncIterator[int]:
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


def measure_answers(answer: Answer, *, conditional: bool = False) -> Sample:
    async def measure() -> Sample:
        async with run_server(answer) as port:
            return await measure_latency(
                port, "/", rate=RATE, seconds=SECONDS, connections=2, conditional=conditional
            )

    return asyncio.run(measure())


OK = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 2\r\n\r\n{}'
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'


def test_every_request_is_sent_and_counted() -> None:
    async def answer(_: bytes) -> bytes:
        return OK

    sample = measure_answers(answer)
    assert (sample.statuses, sample.errors) == ({200: RATE * SECONDS}, 0)


def test_requests_due_during_a_stall_count_their_delay() -> None:
    stalled: list[bool] = []

    async def answer(_: bytes) -> bytes:
        if not stalled:
            stalled.append(True)
            await asyncio.sleep(0.3)
        return OK

    late = sum(latency > 0.05 for latency in measure_answers(answer).latencies)
    assert late > 5  # on the connection that stalled; a closed loop would have seen one


def test_the_last_etag_is_sent() -> None:
    async def answer(head: bytes) -> bytes:
        return NOT_MODIFIED if b'If-None-Match: "a"' in head else OK

    sample = measure_answers(answer, conditional=True)
    assert sample.statuses == {200: 2, 304: RATE * SECONDS - 2}
    assert sample.errors == 0


BROKEN = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def test_any_other_status_is_an_error() -> None:
    async def answer(_: bytes) -> bytes:
        return BROKEN

    assert measure_answers(answer).errors == RATE * SECONDS
