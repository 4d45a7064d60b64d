"""Start the API process, listening on its address or on a socket inherited from ``evenkeel up``.

Heavy modules are imported where Ctrl-C is caught, because that takes a second or more.
"""

import argparse
import os
import socket
import sys
from functools import partial

from shared.db.api_keys import has_keys
from shared.encoders.model_dirs import find_model_dirs_problem
from shared.infra import log
from shared.infra.private_files import keep_files_private
from shared.infra.settings import Settings, describe_missing_key, read_settings_or_exit
from shared.infra.variable_names import warn_misspelled_variables

INTERRUPTED = 130  # 128 + SIGINT, as in shells


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--fd", type=int, help="file descriptor of an inherited listening socket")
    arguments = parser.parse_args()
    keep_files_private()
    settings = read_settings_or_exit()
    log.configure_logging(settings.log_level)
    warn_misspelled_variables(os.environ)
    refusal = describe_missing_key(
        settings, partial(has_keys, settings.resolved_database_url)
    ) or find_model_dirs_problem(settings.model_folders)
    if refusal is not None:
        sys.stderr.write(f"{refusal}\n")
        return 2
    _serve(settings, arguments.fd)
    return 0


def _serve(settings: Settings, descriptor: int | None) -> None:
    from api.app import create_app
    from api.transport.server import TimedServer, build_server_config

    config = build_server_config(create_app(settings), settings)
    sockets = None if descriptor is None else [socket.socket(fileno=descriptor)]
    for name in ("EVENKEEL_API_KEY", "EVENKEEL_SECRET_KEY"):  # its child processes need neither
        os.environ.pop(name, None)
    TimedServer(config).run(sockets=sockets)


if __name__ == "__main__":
    try:
        exit_code = main()
    except KeyboardInterrupt:  # Uvicorn raises it once it has shut down
        exit_code = INTERRUPTED
    sys.exit(exit_code)
