"""Attacks below requests: heads without end, connections that only wait, and too many of them."""

import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import repeat

from benchmarks.hostile.attack import Attack, Outcome, Scene
from benchmarks.hostile.target import BOUNDARY, parse_response, read_all, send_all

MEGABYTE = 1 << 20
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
UPLOAD = (
    b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=%s\r\nAuthorization: Bearer %s\r\n\r\n"
)
HALF_HEADS, SLOW_BODIES, SILENT = 500, 250, 200
SLOW_LIMIT_S = 25.0
"""Until all of them are closed: 10 s of patience, twice for a body, and the server's sweep."""
SOCKETS, HOLD_S = 1_100, 8.0
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def send_small_headers(scene: Scene) -> Outcome:
    fields = b"".join(b"x-%d: a\r\n" % number for number in range(5_000))
    return _send_head(scene, GET, fields, 150)


def send_long_value(scene: Scene) -> Outcome:
    return _send_head(scene, GET + b"x: ", b"a" * MEGABYTE, 140)


def send_long_url(scene: Scene) -> Outcome:
    return _send_head(scene, b"GET /", b"a" * MEGABYTE, 140)


def _send_head(scene: Scene, start: bytes, piece: bytes, megabytes: int) -> Outcome:
    """Send as much of a head as the server takes."""
    begin = time.monotonic()
    taken = 0
    with closing(scene.api.connect()) as client:
        send_all(client, start)
        for data in repeat(piece, megabytes * MEGABYTE // len(piece)):
            if not send_all(client, data):
                break
            taken += len(data)
        status = parse_response(read_all(client)).status
    seconds = time.monotonic() - begin
    return Outcome(
        text=f"{status} after {taken / MEGABYTE:.1f} MB sent, {seconds:.1f} s",
        met=status == 431 and taken < 8 * MEGABYTE,
    )


def wait_slowly(scene: Scene) -> Outcome:
    """Half heads and bodies get a byte a second; silent connections nothing."""
    with ExitStack() as stack:
        heads = list(_open_many(scene, HALF_HEADS, GET, stack, ADDRESSES[1:]))
        upload = UPLOAD % (BOUNDARY, scene.key.encode())
        bodies = list(_open_many(scene, SLOW_BODIES, upload, stack, ADDRESSES[:1]))
        silent = list(_open_many(scene, SILENT, b"", stack, ADDRESSES[2:]))
        left = _drip({*heads, *bodies}, set(silent), SLOW_LIMIT_S)
        opened = len(heads) + len(bodies) + len(silent)
    closed_s = "never" if left.count else f"within {left.seconds:.1f} s"
    return Outcome(
        text=f"{opened} opened, {opened - left.count} closed {closed_s}",
        met=left.count == 0 and opened == HALF_HEADS + SLOW_BODIES + SILENT,
    )


class _Left:
    """Connections that are still open, and when the last one was closed."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.seconds = seconds


def _drip(senders: set[socket.socket], silent: set[socket.socket], limit_s: float) -> _Left:
    """Send a byte a second on some connections until the server has closed all."""
    begin = time.monotonic()
    remaining = senders | silent
    last_closed = 0.0
    while remaining and (now := time.monotonic() - begin) < limit_s:
        closed = {client for client in remaining if _is_closed(client)}
        closed |= {
            client for client in (senders & remaining) - closed if not send_all(client, b"a")
        }
        remaining -= closed
        last_closed = now if closed else last_closed
        time.sleep(1.0)
    return _Left(len(remaining), last_closed)


def _is_closed(client: socket.socket) -> bool:
    """Whether the server has closed the connection, with or without a response."""
    poll = select.poll()
    poll.register(client, select.POLLIN | select.POLLHUP)
    if not poll.poll(0):
        return False
    try:
        return not client.recv(65_536) or not client.recv(65_536)
    except ConnectionError:
        return True


def _open_many(
    scene: Scene, count: int, start: bytes, stack: ExitStack, addresses: Iterable[str]
) -> Iterator[socket.socket]:
    """Yield open connections that have sent the bytes; those that are refused are left out."""
    sources = list(addresses)
    for number in range(count):
        try:
            client = stack.enter_context(closing(scene.api.connect(sources[number % len(sources)])))
        except OSError:
            continue
        if not start or send_all(client, start):
            yield client


def open_many_sockets(scene: Scene) -> Outcome:
    """From one address, and then from three."""
    counts = Counter[int]()
    for addresses in (ADDRESSES[:1], ADDRESSES):
        with ExitStack() as stack:
            opened = list(_open_many(scene, SOCKETS, GET, stack, addresses))
            counts[len(addresses)] = len(opened)
            deadline = time.monotonic() + HOLD_S
            most = 0
            while time.monotonic() < deadline:
                most = max(most, scene.api.process.num_fds())
                time.sleep(0.2)
    return Outcome(
        text=f"{counts[1]} from one address and {counts[3]} from three opened; at most {most} open "
        "files in the process",
        met=most < 2_000,
    )


ATTACKS = (
    Attack("150 MB of small headers, no key", "431 at 64 kB of head", send_small_headers, 8),
    Attack("a header value of 140 MB, no key", "431 at 64 kB of head", send_long_value, 8),
    Attack("a URL of 140 MB, no key", "431 at 64 kB of head", send_long_url, 8),
    Attack(
        f"{HALF_HEADS} half heads, {SLOW_BODIES} slow bodies and {SILENT} silent sockets",
        f"all closed within {SLOW_LIMIT_S:g} s",
        wait_slowly,
    ),
    Attack(f"{SOCKETS:,} sockets", "a bound with room for the rest", open_many_sockets),
)
