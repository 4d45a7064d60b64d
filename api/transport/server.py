"""The configuration of the HTTP server: Uvicorn with bounded connections."""

from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from api.transport.descriptors import fit_connections, raise_descriptor_limit
from api.transport.limits import TransportLimits
from api.transport.protocol import BoundedConfig
from shared.infra.settings import Settings
from shared.infra.shutdown import ExitDeadline
from shared.timings import REQUESTS_STOP_S


class TimedServer(uvicorn.Server):
    """A server whose process ends in time after a signal, also if a thread waits for a lock."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._deadline = ExitDeadline()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._deadline.start()
        super().handle_exit(sig, frame)


def build_server_config(app: ASGIApp, settings: Settings) -> BoundedConfig:
    """Return the server's configuration; raises the limit of open files of this process."""
    most = fit_connections(settings.connections, raise_descriptor_limit())
    limits = TransportLimits(
        connections=most,
        connections_per_address=min(settings.connections_per_address, most),
    )
    return BoundedConfig(
        app,
        limits=limits,
        host=settings.host,
        port=settings.port,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(REQUESTS_STOP_S),
        timeout_keep_alive=int(limits.idle_seconds),
    )
