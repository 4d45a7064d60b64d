"""An open-loop client: requests at a fixed rate over keep-alive connections.

A closed loop waits for a response before it sends the next request, so it sends the fewest
requests while the server is slowest ("coordinated omission"). Here each request is scheduled,
and its latency counts from the scheduled time even if its connection is still busy.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial

import numpy as np

_HEAD_END = b"\r\n\r\n"
_ANSWER_TIMEOUT_S = 10.0


@dataclass
class Sample:
    """The responses to the requests of one measurement."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from the scheduled time to the complete response."""
    send_delays: list[float] = field(default_factory=list)
    """Seconds from the scheduled time to the sending: the delay of this client or of a busy
    connection.
    """
    statuses: dict[int, int] = field(default_factory=dict)
    unanswered: int = 0
    seconds: float = 0.0

    @property
    def errors(self) -> int:
        """Requests without a response, or with a status other than 200 and 304."""
        return self.unanswered + sum(
            count for status, count in self.statuses.items() if status not in (200, 304)
        )

    def build_summary(self) -> dict[str, float | int]:
        """Summarize the latencies, in milliseconds, and the counts."""
        p50, p90, p99, worst = np.quantile(self.latencies, [0.5, 0.9, 0.99, 1.0]) * 1000
        return {
            "requests": len(self.latencies) + self.unanswered,
            "per_second": round(len(self.latencies) / self.seconds, 1),
            "p50_ms": round(float(p50), 2),
            "p90_ms": round(float(p90), 2),
            "p99_ms": round(float(p99), 2),
            "max_ms": round(float(worst), 2),
            "sent_late_p99_ms": round(float(np.quantile(self.send_delays, 0.99)) * 1000, 2),
            "not_modified": self.statuses.get(304, 0),
            "errors": self.errors,
        }


class _Connection(asyncio.Protocol):
    """A connection that sends one request at a time and queues the others."""

    def __init__(self, path: str, sample: Sample, *, conditional: bool) -> None:
        self._head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
        self._sample = sample
        self._conditional = conditional
        self._etag: bytes | None = None
        self._pending: deque[float] = deque()
        self._due_at: float | None = None
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's name)
        self._transport = None

    @property
    def open_requests(self) -> int:
        """Requests without a response."""
        return len(self._pending) + (self._due_at is not None)

    def enqueue_request(self, due_at: float) -> None:
        """Send a request, or queue it while the connection is busy."""
        self._pending.append(due_at)
        if self._due_at is None:
            self._send_next()

    def _send_next(self) -> None:
        if self._transport is None:  # closed by the server: queued requests stay unanswered
            return
        self._due_at = self._pending.popleft()
        condition = (
            b"If-None-Match: " + self._etag + b"\r\n" if self._conditional and self._etag else b""
        )
        self._transport.write(self._head + condition + b"\r\n")
        self._sample.send_delays.append(self._loop.time() - self._due_at)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_HEAD_END)
        if not end:
            return
        status = int(head[9:12])
        if status != 304 and len(body) < int(_find_header(head, b"content-length") or 0):
            return
        self._received = b""
        self._etag = _find_header(head, b"etag")
        self._record_answer(status)
        if self._pending:
            self._send_next()

    def _record_answer(self, status: int) -> None:
        assert self._due_at is not None
        self._sample.latencies.append(self._loop.time() - self._due_at)
        self._sample.statuses[status] = self._sample.statuses.get(status, 0) + 1
        self._due_at = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _find_header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


async def measure_latency(
    port: int, path: str, *, rate: float, seconds: float, connections: int, conditional: bool
) -> Sample:
    """Send GET requests for the path to 127.0.0.1 at a fixed rate and measure their latency.

    ``conditional`` sends the ETag of the last response. Raises OSError if nothing listens.
    """
    loop = asyncio.get_running_loop()
    sample = Sample()
    protocols = [_Connection(path, sample, conditional=conditional) for _ in range(connections)]
    await _connect(protocols, port)
    begin = loop.time() + 0.1
    await _send_requests(protocols, begin, rate, int(rate * seconds))
    await _wait_for_answers(protocols)
    sample.seconds = loop.time() - begin
    sample.unanswered = sum(protocol.open_requests for protocol in protocols)
    for protocol in protocols:
        protocol.close()
    return sample


async def _connect(protocols: list[_Connection], port: int) -> None:
    loop = asyncio.get_running_loop()
    for protocol in protocols:
        await loop.create_connection(partial(_return_protocol, protocol), "127.0.0.1", port)


async def _send_requests(
    protocols: list[_Connection], begin: float, rate: float, count: int
) -> None:
    loop = asyncio.get_running_loop()
    for number in range(count):
        due = begin + number / rate
        wait = due - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        protocols[number % len(protocols)].enqueue_request(due)
        if wait <= 0 and number % len(protocols) == 0:
            await asyncio.sleep(0)  # behind the schedule: let the responses be read


def _return_protocol(protocol: _Connection) -> _Connection:
    return protocol


async def _wait_for_answers(protocols: list[_Connection]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ANSWER_TIMEOUT_S
    while any(protocol.open_requests for protocol in protocols) and loop.time() < deadline:
        await asyncio.sleep(0.01)
