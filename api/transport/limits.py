"""Bounds of connections: sizes in bytes, times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """What clients may cost the server before their requests reach the application."""

    connections: int = 1_000
    """Open connections of the process."""
    connections_per_address: int = 400
    """Open connections of one client address (IPv6: of its /64 network)."""
    head_bytes: int = 64 * 1024
    """Request line and header fields; also a chunk's extensions and the trailer of a body."""
    head_fields: int = 100
    """Header fields of a request."""
    pipelined_requests: int = 16
    """Requests that a client may send before the response to its first one."""
    head_seconds: float = 10.0
    """From the first byte of a head to its last; of a new connection, from its start."""
    body_seconds: float = 10.0
    """Length of the windows in which the speed of a body is measured."""
    body_bytes_per_second: float = 1_024.0
    """Slowest speed of a body in a window in which the server was reading."""
    idle_seconds: float = 30.0
    """Between two requests of a connection."""
    unread_seconds: float = 60.0
    """For which a client may leave a response unread without taking a byte."""
    discarded_bytes: int = 1024 * 1024
    """Bytes of a refused or answered request that are read and dropped, so that the client gets to
    its response.
    """
    closing_seconds: float = 2.0
    """For which a refused client may read its response; then the connection is cut."""
