"""``python -m api``: the API process, on its own address or on a listening socket handed down
by ``evenkeel up``.
"""

import argparse
import os
import socket
import sys

import uvicorn

from api.app import create_app
from shared.infra import log
from shared.infra.settings import Settings, refuse_open_door


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, help="number of an inherited listening socket")
    arguments = parser.parse_args()
    settings = Settings()
    log.configure(settings.log_level)
    refusal = refuse_open_door(settings)
    if refusal is not None:
        sys.stderr.write(f"{refusal}\n")
        return 2
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,  # a half-sent request must not keep the process alive
        timeout_keep_alive=30,
    )
    sockets = [socket.socket(fileno=arguments.fd)] if arguments.fd is not None else None
    os.environ.pop("EVENKEEL_API_KEY", None)  # nothing started from here needs it
    uvicorn.Server(config).run(sockets=sockets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
