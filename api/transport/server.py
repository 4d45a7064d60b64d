"""The configuration of the HTTP server: Uvicorn with bounded connections."""

from typing import Final

from starlette.types import ASGIApp

from api.transport.descriptors import fit_connections, raise_descriptor_limit
from api.transport.limits import TransportLimits
from api.transport.protocol import BoundedConfig
from shared.infra.settings import Settings

SHUTDOWN_TIMEOUT_S: Final = 3  # a half-sent request must not keep the process alive


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
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        timeout_keep_alive=int(limits.idle_seconds),
    )
