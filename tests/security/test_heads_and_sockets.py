"""Clients that send too much before a request, too slowly, or open too many sockets."""

import socket
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, repeat
from pathlib import Path

import pytest

from benchmarks.hostile.target import RunningApi, read_all, running_api, send_all
from tests.security.hostile_clients import await_closed, await_descriptors

pytestmark = pytest.mark.server

MEGABYTE = 1 << 20
FLOOD = 40 * MEGABYTE
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = (
    b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
)
UPLOAD = CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 100000")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    with running_api(tmp_path_factory.mktemp("hostile")) as running:
        yield running


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (GET, b"".join(b"x-%d: a\r\n" % number for number in range(5000)), b"431"),
        (GET + b"x: ", b"a" * 50_000, b"431"),
        (b"GET /", b"a" * 50_000, b"431"),
        (b"", b"\r\n" * 25_000, b"431"),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"a: b\r\n" * 10_000, b"431"),
        (CHUNKED + b"1\r\na\r\n0\r\na: ", b"b" * 50_000, b"431"),
        (CHUNKED + b"1;", b"a" * 50_000, b"431"),
        (b"", (GET + b"\r\n") * 1000, b"200"),
    ],
    ids=["fields", "value", "url", "blank", "trailers", "trailer", "extension", "pipelined"],
)
def test_a_flood_before_any_content_is_refused_and_closed(
    api: RunningApi, start: bytes, piece: bytes, status: bytes
) -> None:
    api.is_healthy()
    before = api.measure_memory()
    with closing(api.connect()) as client:
        taken = all(
            send_all(client, data) for data in chain([start], repeat(piece, FLOOD // len(piece)))
        )
        answer = read_all(client)
    assert not taken  # the server hung up
    if status == b"431":
        assert answer.startswith(b"HTTP/1.1 431")
        assert b"request_head_too_large" in answer
    assert api.measure_memory() - before < 24 * MEGABYTE
    assert api.is_healthy()


def test_a_head_just_below_the_limits_is_served(api: RunningApi) -> None:
    fields = b"".join(b"x-%d: %s\r\n" % (number, b"a" * 600) for number in range(98))
    assert len(fields) > 58_000
    answer = api.exchange(GET + b"Connection: close\r\n" + fields + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    answer = api.exchange(GET + b"x-one: 1\r\n" * 100 + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431")


def test_pipelined_requests_are_served_in_order(api: RunningApi) -> None:
    with closing(api.connect()) as client:
        last = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        client.sendall((GET + b"\r\n") * 7 + last)
        answer = read_all(client)
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b"HTTP/1.1 404")) == (7, 1)


def test_clients_that_wait_for_ever_are_closed(api: RunningApi) -> None:
    assert api.is_healthy()
    idle_descriptors = api.process.num_fds()
    silent = [api.connect() for _ in range(40)]
    half = [_send(api, GET[:-5]) for _ in range(40)]
    slow = [_send(api, UPLOAD + b"--x\r\n") for _ in range(40)]
    answered = [_send(api, GET + b"\r\n") for _ in range(5)]  # idle between two requests
    assert api.is_healthy()
    assert await_closed(silent) == [b""] * 40
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in await_closed(half))
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in await_closed(slow))
    assert all(answer.count(b"HTTP/1.1") == 1 for answer in await_closed(answered))
    await_descriptors(api, idle_descriptors + 2)
    assert api.is_healthy()


def test_a_client_that_keeps_sending_slowly_is_not_closed(api: RunningApi) -> None:
    """Its speed counts, not its duration: 3 kB a second for longer than a window."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    with closing(_send(api, UPLOAD + part)) as client:
        client.settimeout(0.5)
        for _ in range(25):
            client.sendall(b"a" * 1_500)
            with pytest.raises(TimeoutError):
                client.recv(1)


def _send(api: RunningApi, data: bytes) -> socket.socket:
    client = api.connect()
    client.sendall(data)
    return client


def test_more_sockets_than_allowed_lock_nobody_out(tmp_path: Path) -> None:
    limits = {"EVENKEEL_CONNECTIONS": "40", "EVENKEEL_CONNECTIONS_PER_ADDRESS": "20"}
    with running_api(tmp_path, limits) as api:
        assert api.is_healthy()
        idle_descriptors = api.process.num_fds()
        held = [api.connect() for _ in range(100)]
        half = [_send(api, GET[:-5]) for _ in range(100)]
        slow = [_send(api, UPLOAD) for _ in range(100)]
        assert api.process.num_fds() < idle_descriptors + 60
        assert all(api.is_healthy() for _ in range(20))
        for client in [*held, *half, *slow]:
            client.close()
