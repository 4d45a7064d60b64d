"""All open connections: how many there may be, who makes room for a newcomer, and what is overdue.

At the bound, a newcomer displaces a connection that waits for its client: first one that has never
sent a whole request head, then one between two requests, then one in the middle of a request body.
So connections that only wait do not lock anybody out. A request that the server is working on is
never displaced; if there are nothing but those, the newcomer is refused.
"""

import asyncio
import logging
from collections import Counter
from enum import IntEnum
from typing import Final, Protocol

from api.transport.limits import TransportLimits

log = logging.getLogger(__name__)

SWEEP_INTERVAL_S: Final = 1.0


class Phase(IntEnum):
    """What a connection is waiting for; the lower ones make room first."""

    CLOSING = 0
    """The client to read why it was refused."""
    NEW = 1
    """The first request head."""
    HEAD = 2
    """The rest of a further request's head."""
    IDLE = 3
    """A further request; no byte of it has come."""
    BODY = 4
    """The rest of a request's body."""
    BUSY = 5
    """The server."""


class Connection(Protocol):
    """What the registry knows of a connection."""

    @property
    def phase(self) -> Phase: ...

    @property
    def address(self) -> str: ...

    def drop(self, reason: str) -> None:
        """Close the connection at once, without a response."""

    def check(self, now: float) -> None:
        """Close the connection if its client is too slow; ``now`` by the event loop's clock."""


class ConnectionRegistry:
    """The open connections of one event loop."""

    def __init__(self, limits: TransportLimits) -> None:
        self.limits = limits
        self.closed: Counter[str] = Counter()
        """Connections that were closed or refused, by reason, since the last report."""
        self._connections: dict[Connection, None] = {}
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, connection: Connection) -> bool:
        """Add a new connection, displacing another if necessary; False if there is no room."""
        peers = self._by_address.get(connection.address, {})
        crowd = None
        if len(peers) >= self.limits.connections_per_address:
            crowd = peers
        elif len(self._connections) >= self.limits.connections:
            crowd = self._connections
        if crowd is not None and not self._displace_one(crowd):
            self.closed["refused"] += 1
            return False
        self._connections[connection] = None
        # looked up again: the displaced connection may have been the only one of the address
        self._by_address.setdefault(connection.address, {})[connection] = None
        if self._sweep is None:
            self._schedule_sweep()
        return True

    def _displace_one(self, crowd: dict[Connection, None]) -> bool:
        """Drop the connection that makes room, the oldest of the lowest phase, if there is one."""
        chosen: Connection | None = None
        for connection in crowd:
            if chosen is None or connection.phase < chosen.phase:
                chosen = connection
            if chosen.phase <= Phase.NEW:
                break
        if chosen is None or chosen.phase is Phase.BUSY:
            return False
        self.remove(chosen)  # at once, not only when the loop tells that it is closed
        chosen.drop("displaced")
        return True

    def remove(self, connection: Connection) -> None:
        """Remove a connection; without effect if it has been removed."""
        self._connections.pop(connection, None)
        peers = self._by_address.get(connection.address, {})
        peers.pop(connection, None)
        if not peers:
            self._by_address.pop(connection.address, None)

    def _schedule_sweep(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(SWEEP_INTERVAL_S, self._check_all)

    def _check_all(self) -> None:
        self._sweep = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._connections):
            connection.check(now)
        if self.closed:
            counts = " ".join(f"{reason}={count}" for reason, count in sorted(self.closed.items()))
            log.warning("connections_closed open=%d %s", len(self), counts)
            self.closed.clear()
        if self._connections:
            self._schedule_sweep()
