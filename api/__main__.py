"""Start the API process, listening on its address or on a socket inherited from ``evenkeel up``."""

import argparse
import os
import socket
import sys

import uvicorn

from api.app import create_app
from shared.infra import log
from shared.infra.settings import Settings, describe_missing_key

KEEP_ALIVE_TIMEOUT_S = 30
SHUTDOWN_TIMEOUT_S = 3  # a half-sent request must not keep the process alive


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--fd", type=int, help="file descriptor of an inherited listening socket")
    arguments = parser.parse_args()
    settings = Settings()
    log.configure_logging(settings.log_level)
    refusal = describe_missing_key(settings)
    if refusal is not None:
        sys.stderr.write(f"{refusal}\n")
        return 2
    config = _create_server_config(settings)
    sockets = [socket.socket(fileno=arguments.fd)] if arguments.fd is not None else None
    os.environ.pop("EVENKEEL_API_KEY", None)  # child processes of this one do not need it
    uvicorn.Server(config).run(sockets=sockets)
    return 0


def _create_server_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
    )


if __name__ == "__main__":
    sys.exit(main())
