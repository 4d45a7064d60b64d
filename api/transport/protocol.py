"""Uvicorn's HTTP protocol with bounds on what a client sends, and how slowly.

Uvicorn and httptools have none: a head may be of any size and take any time. The bound on bytes is
one rule for everything that precedes or interrupts content: between two signs of progress (the end
of a head, content of a body, the end of a message) there may be ``head_bytes`` bytes. That covers
request lines, header fields, trailers, chunk extensions and blank lines alike.
"""

import asyncio
from typing import Any

import httptools
from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.client_networks import get_client_network
from api.transport.connections import ConnectionRegistry, Phase
from api.transport.limits import TransportLimits
from api.transport.progress import BodyPace, ResponsePace
from api.transport.refusals import build_refusal
from shared.domain.errors import InvalidRequest, RequestHeadTooLarge, RequestTimeout, ServiceError


class BoundedConfig(Config):
    """Uvicorn's configuration with the registry that all connections share."""

    def __init__(self, app: ASGIApp, limits: TransportLimits, **options: Any) -> None:
        options["http"] = BoundedHttpProtocol
        super().__init__(app, **options)
        self.registry = ConnectionRegistry(limits)


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, BoundedConfig)
        self._registry = config.registry
        self._limits = config.registry.limits
        self._parsing = Phase.NEW
        """What the parser waits for; a client that pipelines is ahead of the application."""
        self.address = ""
        self._phase_since = 0.0
        self._bytes_without_progress = 0
        self._has_progressed = False
        self._body_bytes = 0
        self._body_pace = BodyPace(self._limits)
        self._response_pace = ResponsePace(self._limits)
        self._discarded_bytes = 0
        self._refusal: ServiceError | None = None
        self._active_cycle: RequestResponseCycle | None = None
        """The request that the application works on; ``cycle`` is the last one received."""

    # the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = "" if self.client is None else get_client_network(self.client[0])
        self._enter(Phase.NEW)
        if not self._registry.admit(self):
            self._parsing = Phase.CLOSING
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._registry.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        start = 0
        while start < len(data) and self._parsing is not Phase.CLOSING:
            room = self._limits.head_bytes + 1 - self._bytes_without_progress
            piece = data[start : start + room]
            start += len(piece)
            self._feed(piece)
        if start < len(data):
            self._discard(len(data) - start)

    def _feed(self, piece: bytes) -> None:
        self._has_progressed = False
        self._unset_keepalive_if_required()
        self._parse(piece)
        if self._has_progressed:
            self._bytes_without_progress = 0
        else:
            self._bytes_without_progress += len(piece)
        too_many = self._bytes_without_progress > self._limits.head_bytes
        if too_many and self._parsing is not Phase.CLOSING:
            self._refuse(
                RequestHeadTooLarge(
                    "The URL and the header fields of the request exceed "
                    f"{self._limits.head_bytes:,} bytes; send less in them."
                ),
                "large_head",
            )

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            return  # no other protocol is spoken here: the request is served as it is
        except httptools.HttpParserError:
            refusal = self._refusal or InvalidRequest("The request is not valid HTTP.")
            self._refuse(refusal, "large_head" if self._refusal else "malformed")

    # the parser

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._limits.pipelined_requests:
            self._fail(
                InvalidRequest("Too many requests were sent before the response to the first one.")
            )
        super().on_message_begin()
        if self._parsing is not Phase.NEW:
            self._enter(Phase.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._parsing is Phase.BODY:  # a trailer, which nothing here reads
            return
        if len(self.headers) >= self._limits.head_fields:
            self._fail(
                RequestHeadTooLarge(
                    f"The request has more than {self._limits.head_fields} header fields."
                )
            )
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._has_progressed = True
        self._enter(Phase.BODY)
        self._body_bytes = self._discarded_bytes = 0
        self._body_pace.start_window(self._phase_since, 0)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._has_progressed = True
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_progressed = True
        self._enter(Phase.IDLE if self.cycle.response_complete else Phase.BUSY)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._parsing is Phase.BUSY and self.cycle.response_complete:
            self._enter(Phase.IDLE)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def _fail(self, refusal: ServiceError) -> None:
        """Have the parser stop, and refuse the request."""
        self._refusal = refusal
        raise ValueError(refusal.message)

    # the clock

    @property
    def phase(self) -> Phase:
        """What the connection waits for: the server, as soon as a request is in work whose body
        has come, whatever the client has sent after it.
        """
        cycle = self._active_cycle
        if self._parsing is Phase.CLOSING or cycle is None or cycle.response_complete:
            return self._parsing
        is_receiving = self._parsing is Phase.BODY and cycle is self.cycle
        return Phase.BODY if is_receiving else Phase.BUSY

    def _enter(self, phase: Phase) -> None:
        self._parsing = phase
        self._phase_since = self.loop.time()

    def check(self, now: float) -> None:
        """Close the connection if its client is too slow."""
        waited = now - self._phase_since
        limits = self._limits
        if self.transport.is_closing() or self._parsing is Phase.CLOSING:
            self._check_closing(now, waited)
        elif self._has_response_under_way():
            if self._response_pace.is_stalled(now, self.transport.get_write_buffer_size()):
                self.drop("unread")
        elif self._parsing is Phase.BODY:
            self._check_body(now)
        elif self._parsing is Phase.HEAD and self.flow.read_paused:
            self._phase_since = now  # the rest waits for the responses to earlier requests
        elif self._parsing is Phase.IDLE and waited > limits.idle_seconds + 1:
            self.drop("idle")  # Uvicorn's own timer is lost when a body follows its response
        elif self._parsing is Phase.NEW and waited > limits.head_seconds and self.headers is None:
            self.drop("silent")
        elif self._parsing in (Phase.NEW, Phase.HEAD) and waited > limits.head_seconds:
            seconds = f"{limits.head_seconds:g} seconds"
            self._refuse(
                RequestTimeout(f"The head of the request did not come within {seconds}."),
                "slow_head",
            )

    def _has_response_under_way(self) -> bool:
        cycle = self._active_cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete

    def _check_closing(self, now: float, waited: float) -> None:
        """Cut a connection whose client does not take the rest of what was written."""
        left = self.transport.get_write_buffer_size()
        if self._parsing is not Phase.CLOSING:
            self._enter(Phase.CLOSING)
        elif waited > self._limits.closing_seconds and (
            left == 0 or self._response_pace.is_stalled(now, left)
        ):
            self.transport.abort()

    def _check_body(self, now: float) -> None:
        # it is the server that is not reading, or has not asked for the body yet
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._body_pace.start_window(now, self._body_bytes)
        elif self._body_pace.is_too_slow(now, self._body_bytes):
            rate = f"{self._limits.body_bytes_per_second:,.0f} bytes per second"
            self._refuse(
                RequestTimeout(f"The body of the request came more slowly than {rate}."),
                "slow_body",
            )

    # the end

    def drop(self, reason: str) -> None:
        """Close the connection at once, without a response."""
        self._registry.closed[reason] += 1
        self._parsing = Phase.CLOSING
        self._disconnect_application()
        self.transport.abort()

    def _disconnect_application(self) -> None:
        """Let the application know that nothing more comes, and drop what it still sends."""
        self.pipeline.clear()
        for cycle in (self._active_cycle, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def _discard(self, count: int) -> None:
        self._discarded_bytes += count
        if self._discarded_bytes > self._limits.discarded_bytes:
            self.drop("discarded")

    def _refuse(self, error: ServiceError, reason: str) -> None:
        """Answer with the error, unless another response has begun, and close the connection.

        What the client is still sending is read and dropped for a moment: a connection that is
        closed with bytes unread is reset, and the response may be lost.
        """
        if self._has_responded():
            self.drop(reason)
            return
        self._registry.closed[reason] += 1
        self._disconnect_application()
        self._unset_keepalive_if_required()
        self._discarded_bytes = 0
        self._enter(Phase.CLOSING)
        self.flow.resume_reading()
        self.transport.write(build_refusal(error, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _has_responded(self) -> bool:
        """Whether another response to the request has begun, so that none may follow."""
        cycle = self._active_cycle
        if cycle is None:
            return False
        return self._parsing is Phase.BODY if cycle.response_complete else cycle.response_started
