"""``evenkeel up``: Redis, API, worker and sweeper on one machine, under one parent process.

Everything that can be wrong is checked before anything starts. The listening socket is created
here and inherited by the API, so that connections wait instead of failing while the API restarts.
"""

import asyncio
import importlib.util
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cli.browser import open_page
from cli.child_output import ChildOutput
from cli.data_dir import DataDir, open_data_dir
from cli.embedded_redis import EmbeddedRedis, prepare_embedded_redis
from cli.errors import CliError
from cli.processes import Program, Supervisor
from cli.settings import read_service_settings, read_settings
from shared.infra.child_process import build_module_command, build_module_environment
from shared.infra.private_files import keep_files_private
from shared.infra.settings import Settings, describe_missing_key
from shared.infra.variable_names import list_misspelled_variables

WORKER_PACKAGES = ("torch", "transformers", "safetensors")
LISTEN_BACKLOG = 2048  # connections that wait while the API starts
_HEALTH_TIMEOUT_S = 2.0
_IGNORED_VARIABLES = ("EVENKEEL_DATABASE_URL", "EVENKEEL_REDIS_URL", "EVENKEEL_STORAGE_URL")
"""``evenkeel up`` keeps all state in its data folder; ``evenkeel api`` and ``worker`` use these."""


@dataclass(frozen=True)
class ServiceOptions:
    """Options of ``evenkeel up``."""

    home: Path
    host: str
    port: int
    slots: int
    """Number of runs trained at the same time."""
    threads: int | Literal["auto"]
    """CPU threads per run; ``auto`` chooses them for each job."""
    opens_page: bool = False
    """Whether to open the page in a browser once the service is ready."""


def run_service(options: ServiceOptions) -> int:
    """Run the service until a signal stops it; return the exit code.

    Raises CliError if it cannot start.
    """
    require_worker_packages()
    refusal = _find_key_problem(options)
    if refusal is not None:
        raise CliError(refusal)
    keep_files_private()
    with (
        open_data_dir(options.home) as home,
        open_listener(options.host, options.port) as listener,
        prepare_embedded_redis(home.redis_folder) as redis,
    ):
        settings = build_service_settings(options, home, redis)
        prepare_database(settings.resolved_database_url)
        programs = [
            redis.build_program(),
            *build_service_programs(listener, build_child_environment(settings)),
        ]
        needs_key = are_keys_required(settings)
        return asyncio.run(
            _run_programs(options, home, get_listener_url(listener), programs, needs_key=needs_key)
        )


def _find_key_problem(options: ServiceOptions) -> str | None:
    """Return why these options need a key first. Raises CliError for invalid settings."""
    from shared.db.api_keys import has_keys

    home = options.home.expanduser().absolute()
    settings = read_service_settings(host=options.host, home=home, database_url="")
    return describe_missing_key(settings, partial(has_keys, settings.resolved_database_url))


async def _run_programs(
    options: ServiceOptions,
    home: DataDir,
    url: str,
    programs: Sequence[Program],
    *,
    needs_key: bool,
) -> int:
    output = ChildOutput(
        [program.name for program in programs],
        stream=sys.stdout,
        log_folder=home.logs_folder,
        quiet_names=["redis"],
    )

    def announce_url() -> None:
        home.write_url(url)
        for line in _format_welcome(url, options, home, needs_key=needs_key):
            output.write_parent_line(line)
        if options.opens_page and not open_page(build_page_url(url)):
            output.write_parent_line("no browser was found here; open the page yourself")

    try:
        for sentence in list_misspelled_variables(os.environ):
            output.write_parent_line(f"Warning: {sentence}")
        for name in filter(os.environ.get, _IGNORED_VARIABLES):
            output.write_parent_line(
                f"{name} is set but ignored: `evenkeel up` keeps its state in {home.folder}"
            )
        return await Supervisor(programs, output, when_ready=announce_url).run()
    finally:
        output.close()


def build_service_programs(
    listener: socket.socket, environment: Mapping[str, str]
) -> list[Program]:
    """Build the programs that are Python: the API, which starts first, worker and sweeper."""
    host, port = listener.getsockname()[:2]

    async def is_api_ready() -> bool:
        return await is_healthy(host, port)

    return [
        Program(
            name="api",
            command=build_module_command("api", "--fd", str(listener.fileno())),
            env=environment,
            pass_fds=(listener.fileno(),),
            ready=is_api_ready,
        ),
        *build_worker_programs(environment),
    ]


def build_worker_programs(environment: Mapping[str, str]) -> list[Program]:
    """Build the worker, which trains, and the sweeper, which recovers lost runs."""
    return [
        Program(name="worker", command=build_module_command("worker"), env=environment),
        Program(
            name="sweeper",
            command=build_module_command("worker.maintenance.sweeper"),
            env=environment,
        ),
    ]


def build_service_settings(
    options: ServiceOptions, home: DataDir, redis: EmbeddedRedis
) -> Settings:
    """Read the environment's settings, with this service's own paths and options instead."""
    return read_settings(
        home=home.folder,
        database_url="",
        storage_url="",
        cache_dir=None,
        redis_url=redis.url,
        host=options.host,
        worker_slots=options.slots,
        threads=options.threads,
    )


def build_child_environment(settings: Settings) -> dict[str, str]:
    """Build the variables that give the children these settings."""
    return {
        **build_module_environment(),
        "EVENKEEL_HOME": str(settings.home),
        "EVENKEEL_DATABASE_URL": settings.resolved_database_url,
        "EVENKEEL_STORAGE_URL": settings.resolved_storage_url,
        "EVENKEEL_CACHE_DIR": str(settings.resolved_cache_dir),
        "EVENKEEL_REDIS_URL": settings.redis_url,
        "EVENKEEL_HOST": settings.host,
        "EVENKEEL_WORKER_SLOTS": str(settings.worker_slots),
        "EVENKEEL_CORES": str(settings.cores),
        "EVENKEEL_THREADS": str(settings.threads),
        "EVENKEEL_PRECISION": settings.precision,
    }


def prepare_database(url: str) -> None:
    """Migrate the database, and release the runs that a killed service was training."""
    from cli.database import upgrade_database
    from shared.db.recovery import release_all_leases

    upgrade_database(url)
    release_all_leases(url)


def open_listener(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 picks a free port. Raises CliError if it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=LISTEN_BACKLOG)
    except socket.gaierror as error:
        raise CliError(
            f"{host!r} is not an address of this machine ({error.strerror}). Try --host 127.0.0.1."
        ) from error
    except OSError as error:
        raise CliError(
            f"Cannot listen on port {port} of {host} ({os.strerror(error.errno or 0)}). Choose "
            "another port with --port, or let --port 0 pick a free one."
        ) from error


def get_listener_url(listener: socket.socket) -> str:
    """Return the URL under which this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    reached_at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reached_at}]:{port}" if ":" in reached_at else f"http://{reached_at}:{port}"


def build_page_url(url: str) -> str:
    """Return the address of the web page of the service at ``url``."""
    return f"{url}/jobs"


async def is_healthy(host: str, port: int) -> bool:
    """Return whether GET /health answers 200."""
    try:
        async with asyncio.timeout(_HEALTH_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(
                    b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                return (await reader.readline()).startswith(b"HTTP/1.1 200")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def require_worker_packages() -> None:
    """Raise CliError if the packages for training are not installed."""
    missing = [name for name in WORKER_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise CliError(
            f"Training needs packages that are not installed ({', '.join(missing)}). Install them "
            "with: pip install 'evenkeel[worker]'"
        )


def are_keys_required(settings: Settings) -> bool:
    """Return whether requests need an API key from the start."""
    from shared.db.api_keys import has_keys

    return settings.api_key is not None or has_keys(settings.resolved_database_url)


def _format_welcome(
    url: str, options: ServiceOptions, home: DataDir, *, needs_key: bool
) -> list[str]:
    documentation = (
        f"API documentation: {url}/docs" if read_settings().api_docs else "no API documentation"
    )
    option = "" if url == "http://127.0.0.1:8000" else f" --url {url}"
    return [
        f"The page: {build_page_url(url)}",
        (
            f"Evenkeel is ready at {url} ({options.slots} training "
            f"slot{'s' if options.slots > 1 else ''}; {documentation})"
        ),
        f"to train a model: evenkeel train FILE{option}",
        *(
            [
                "requests need an API key (EVENKEEL_API_KEY); to make one: "
                f"evenkeel keys create NAME --home {home.folder}"
            ]
            if needs_key
            else []
        ),
        (
            f"data and logs are in {home.folder}; Ctrl-C stops everything, and the next "
            "`evenkeel up` continues from there"
        ),
    ]
