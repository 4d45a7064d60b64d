"""The HTTP session of ``huggingface_hub``, within bounds of hosts, bytes and time.

The library brings proxies, certificates, tokens and error classes, but follows redirects to any
host and waits as long as a response says. Hooks of its session add the bounds; a transfer's own are
set with ``watch_transfer``.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.domain.errors import HubNotAllowed, HubNotReachable
from shared.infra.hub_hosts import is_allowed_host, list_allowed_hosts
from shared.infra.settings import Settings

if TYPE_CHECKING:
    import httpx2

IDLE_TIMEOUT_S = 15.0  # without a byte
SLOW_WINDOW_S = 60.0
MIN_BYTES_PER_WINDOW = 64 * 1024
MAX_RETRY_AFTER_S = 3600.0


@dataclass
class Transfer:
    """The bounds of one request, checked with every chunk of its body."""

    max_bytes: int
    deadline: float | None = None
    """Monotonic time at which the body must be complete; None only asks for a minimum speed."""
    check: Callable[[], None] = lambda: None
    """Called with every chunk; what it raises ends the transfer."""
    _received: int = 0
    _window: tuple[float, int] = field(default_factory=lambda: (time.monotonic(), 0))

    def count(self, size: int) -> None:
        """Count a chunk. Raises HubNotReachable beyond the bounds, and what ``check`` raises."""
        self.check()
        self._received += size
        if self._received > self.max_bytes:
            raise build_unreachable_error(
                f"a response has more than the {self.max_bytes:,} bytes expected"
            )
        now = time.monotonic()
        if self.deadline is not None and now > self.deadline:
            raise build_unreachable_error("it responds too slowly")
        since, received = self._window
        if now - since >= SLOW_WINDOW_S:
            if self._received - received < MIN_BYTES_PER_WINDOW:
                raise build_unreachable_error("it sends too slowly")
            self._window = (now, self._received)


_current_transfer: ContextVar[Transfer | None] = ContextVar("current_transfer", default=None)
_configuring = threading.Lock()
_configured: tuple[str, str] | None = None


@contextmanager
def watch_transfer(transfer: Transfer) -> Iterator[None]:
    """Apply the bounds to the requests of this thread within the block."""
    token = _current_transfer.set(transfer)
    try:
        yield
    finally:
        _current_transfer.reset(token)


def configure_session(settings: Settings) -> None:
    """Make the library's session respect the settings. Repeated calls change nothing."""
    global _configured
    wanted = (settings.hub_endpoint, settings.hub_hosts)
    with _configuring:
        if _configured == wanted:
            return
        from huggingface_hub import set_client_factory

        set_client_factory(lambda: _create_client(*wanted))
        _configured = wanted


def _create_client(endpoint: str, hub_hosts: str) -> "httpx2.Client":
    import httpx2

    home = httpx2.URL(endpoint)
    allowed = list_allowed_hosts(home.host, hub_hosts)

    def check_host(request: httpx2.Request) -> None:
        target = request.url
        is_encrypted = target.scheme == "https" or home.scheme == "http"
        if not is_encrypted or not is_allowed_host(target.host, allowed):
            raise HubNotAllowed(
                f"The hub redirects to {target.scheme}://{target.host}"[:150]
                + ", which is not an allowed host; add it to EVENKEEL_HUB_HOSTS to allow it.",
                param="model",
            )

    return httpx2.Client(
        event_hooks={"request": [check_host], "response": [_watch_body]},
        follow_redirects=True,
        max_redirects=5,
        timeout=IDLE_TIMEOUT_S,
    )


def _watch_body(response: "httpx2.Response") -> None:
    """Refuse a busy hub's response; count the chunks of any other body.

    The library would sleep for as long as a Retry-After header says.
    """
    import httpx2

    if response.status_code in (429, 503):
        raise HubNotReachable(
            "The hub refuses further requests for now (rate limit or overload).",
            param="model",
            retry_after_s=_parse_retry_after(response.headers.get("retry-after", "")),
        )
    transfer, stream = _current_transfer.get(), response.stream
    if transfer is not None:
        assert isinstance(stream, httpx2.SyncByteStream)
        response.stream = _watch_stream(stream, transfer)


def _watch_stream(stream: "httpx2.SyncByteStream", transfer: Transfer) -> "httpx2.SyncByteStream":
    """Return the stream with every chunk counted."""
    import httpx2

    class WatchedStream(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for chunk in stream:
                transfer.count(len(chunk))
                yield chunk

        def close(self) -> None:
            stream.close()

    return WatchedStream()


def _parse_retry_after(text: str) -> float:
    """Return the seconds to wait; 0 for a missing header or a date."""
    return min(float(text), MAX_RETRY_AFTER_S) if text.isdecimal() else 0.0


def build_unreachable_error(reason: str) -> HubNotReachable:
    return HubNotReachable(f"The hub cannot be read: {reason}.", param="model")
