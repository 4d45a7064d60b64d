"""Which connections make room for a newcomer, and how many there may be."""

import asyncio
from collections.abc import Callable

import pytest

from api.transport.connections import ConnectionRegistry, Phase
from api.transport.descriptors import fit_connections
from api.transport.limits import TransportLimits


class FakeConnection:
    def __init__(self, phase: Phase, address: str = "10.0.0.1") -> None:
        self.phase = phase
        self.address = address
        self.dropped: list[str] = []

    def drop(self, reason: str) -> None:
        self.dropped.append(reason)

    def check(self, now: float) -> None:
        """Nothing is overdue."""


def run_in_loop(test: Callable[[ConnectionRegistry], None]) -> None:
    async def run() -> None:
        test(ConnectionRegistry(TransportLimits(connections=4, connections_per_address=3)))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("phases", "displaced"),
    [
        ([Phase.BUSY, Phase.NEW, Phase.NEW], 1),
        ([Phase.IDLE, Phase.HEAD, Phase.IDLE], 1),
        ([Phase.BODY, Phase.IDLE, Phase.IDLE], 1),
        ([Phase.BUSY, Phase.BODY, Phase.BODY], 1),
        ([Phase.NEW, Phase.CLOSING, Phase.BUSY], 0),
        ([Phase.BUSY, Phase.BUSY, Phase.BUSY], None),
    ],
)
def test_a_newcomer_displaces_who_waits_for_the_client(
    phases: list[Phase], displaced: int | None
) -> None:
    def test(registry: ConnectionRegistry) -> None:
        crowd = [FakeConnection(phase) for phase in phases]
        assert all(map(registry.admit, crowd))
        assert registry.admit(FakeConnection(Phase.NEW)) == (displaced is not None)
        dropped = [index for index, one in enumerate(crowd) if one.dropped]
        assert dropped == ([] if displaced is None else [displaced])
        assert len(registry) == 3

    run_in_loop(test)


def test_addresses_share_the_bound_of_the_process() -> None:
    def test(registry: ConnectionRegistry) -> None:
        busy = [FakeConnection(Phase.BUSY, "10.0.0.1") for _ in range(3)]
        other = [FakeConnection(Phase.NEW, f"10.0.0.{number}") for number in (2, 3)]
        assert all(map(registry.admit, [*busy, *other]))
        assert (other[0].dropped, other[1].dropped) == (["displaced"], [])
        assert len(registry) == 4
        registry.remove(busy[0])
        registry.remove(busy[0])
        assert len(registry) == 3
        assert registry.admit(FakeConnection(Phase.NEW, "10.0.0.1"))

    run_in_loop(test)


def test_whoever_displaces_the_only_connection_of_its_address_is_counted() -> None:
    def test(registry: ConnectionRegistry) -> None:
        busy = [FakeConnection(Phase.BUSY, f"10.0.1.{number}") for number in range(3)]
        own = [FakeConnection(Phase.NEW)]
        assert all(map(registry.admit, [*busy, *own]))
        own.append(FakeConnection(Phase.NEW))
        assert registry.admit(own[1])
        assert own[0].dropped == ["displaced"]
        for connection in busy:
            registry.remove(connection)
        own += [FakeConnection(Phase.NEW) for _ in range(3)]
        assert all(map(registry.admit, own[2:]))
        assert len(registry) == 3  # as many as an address may have
        assert own[1].dropped == ["displaced"]

    run_in_loop(test)


def test_connections_leave_descriptors_for_the_rest() -> None:
    assert fit_connections(1_000, 65_536) == 1_000
    assert fit_connections(1_000, 1_024) == 384
    assert fit_connections(1_000, 256) == 64
