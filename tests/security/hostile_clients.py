"""Helpers of the tests with hostile clients."""

import socket

from benchmarks.hostile.target import TIMEOUT_S, RunningApi, read_all
from tests.processes import until


def await_closed(clients: list[socket.socket]) -> list[bytes]:
    """Return what each client got until its connection was closed."""
    received: list[bytes] = []
    for client in clients:
        received.append(read_all(client))
        client.close()
    return received


def await_descriptors(api: RunningApi, most: int) -> None:
    until(
        lambda: api.process.num_fds() <= most,
        lambda: f"{api.process.num_fds()} open files",
        seconds=TIMEOUT_S,
    )
