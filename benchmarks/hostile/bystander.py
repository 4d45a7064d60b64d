"""An honest client beside an attack: it asks at a fixed rate how the service is.

It runs in a process of its own, so that the attackers' work does not count as the service's
latency. Each request has a connection of its own, as a health probe's has, and is sent when it is
due, whatever has become of the earlier ones.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import TypedDict

import numpy as np

RATE = 20.0
"""Requests per second, half of them for ``/health`` and half for a list of jobs with a key."""
TIMEOUT_S = 60.0
JOBS = "/v1/fine_tuning/jobs?limit=1"


class Latency(TypedDict):
    """Requests of one kind: their number, latencies in milliseconds, and failures."""

    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: int
    """Not answered with 200, which counts as the longest wait."""


Latencies = dict[str, Latency]


class Bystander:
    """The results of a bystander, once it has ended."""

    latencies: Latencies


@contextmanager
def watch_latency(port: int, key: str) -> Iterator[Bystander]:
    """Have a bystander send requests during the block."""
    context = multiprocessing.get_context("spawn")
    own, other = context.Pipe()
    process = context.Process(target=_serve, args=(port, key, other), daemon=True)
    process.start()
    bystander = Bystander()
    own.recv()  # it has begun
    try:
        yield bystander
    finally:
        own.send("stop")
        bystander.latencies = own.recv()
        process.join()


def _serve(port: int, key: str, connection: Connection) -> None:
    asyncio.run(_watch(port, key, connection))


async def _watch(port: int, key: str, connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    samples: dict[str, list[float]] = {"/health": [], JOBS: []}
    tasks: set[asyncio.Task[None]] = set()
    connection.send("started")
    begin = loop.time()
    number = 0
    while not connection.poll():
        due = begin + number / RATE
        await asyncio.sleep(max(0.0, due - loop.time()))
        path = "/health" if number % 2 else JOBS
        tasks.add(asyncio.create_task(_send_one(port, path, key, due, samples[path])))
        number += 1
    await asyncio.gather(*tasks)
    connection.send({path: _summarize(values) for path, values in samples.items()})


async def _send_one(port: int, path: str, key: str, due: float, latencies: list[float]) -> None:
    """Record the seconds from the due time to the end of the response; infinite for a failure."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    )
    received = b""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request.encode())
            received = await reader.read()
            writer.close()
    is_ok = received.startswith(b"HTTP/1.1 200")
    latencies.append(asyncio.get_running_loop().time() - due if is_ok else float("inf"))


def _summarize(latencies: list[float]) -> Latency:
    failed = sum(map(np.isinf, latencies))
    shown = [min(seconds, TIMEOUT_S) for seconds in latencies]
    p50, p99, worst = np.quantile(shown, [0.5, 0.99, 1.0], method="higher") * 1000
    return Latency(
        requests=len(latencies),
        p50_ms=round(float(p50), 1),
        p99_ms=round(float(p99), 1),
        max_ms=round(float(worst), 1),
        failed=int(failed),
    )
