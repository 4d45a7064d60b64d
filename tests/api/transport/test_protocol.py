"""What becomes of a connection that sends requests ahead of their responses."""

import asyncio

from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api.transport.limits import TransportLimits
from api.transport.protocol import BoundedConfig, BoundedHttpProtocol

HEAD_SECONDS = 0.2
WORK_SECONDS = 1.6
"""A sweep falls within it."""
LATE = b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/late":
        await asyncio.sleep(WORK_SECONDS)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def exchange(limits: TransportLimits, *parts: bytes) -> bytes:
    """Send the parts, each half a second after the one before, and return the responses."""
    config = BoundedConfig(answer, limits, lifespan="off", log_config=None)
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config, ServerState(), {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.5)
        try:
            async with asyncio.timeout(WORK_SECONDS + 10):
                found = b""
                while found.count(b"200 OK") < 3 and (came := await reader.read(4096)):
                    found += came
        finally:
            writer.close()
    return found


def test_a_request_in_work_is_not_displaced_by_what_follows_it() -> None:
    """The client has begun a second request, so the parser waits for the rest of its head."""

    async def run() -> tuple[bytes, bytes]:
        limits = TransportLimits(connections=1)
        config = BoundedConfig(answer, limits, lifespan="off", log_config=None)
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: BoundedHttpProtocol(config, ServerState(), {}), "127.0.0.1", 0
        )
        async with server, asyncio.timeout(WORK_SECONDS + 20):
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(LATE + REQUEST[:-2])
            await asyncio.sleep(WORK_SECONDS / 4)
            newcomer, newcomer_writer = await asyncio.open_connection(*address)
            refused = await newcomer.read()
            newcomer_writer.close()
            found = await reader.readuntil(b"ok")
            writer.close()
            return refused, found

    refused, found = asyncio.run(run())
    assert refused == b""
    assert b"200 OK" in found


def test_a_head_that_the_server_does_not_read_is_not_slow() -> None:
    limits = TransportLimits(head_seconds=HEAD_SECONDS)
    half = REQUEST[:-2]
    found = asyncio.run(exchange(limits, LATE + REQUEST + half, b"\r\n"))
    assert found.count(b"200 OK") == 3
