"""An API process for benchmarks, as ``evenkeel up`` starts it, without a broker."""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from cli.up import is_healthy, open_listener
from shared.infra.child_process import (
    build_module_command,
    build_module_environment,
    make_parent_death_hook,
)


@contextmanager
def run_api(
    home: Path, database_url: str, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[int]:
    """Run one API process without a broker and yield its port; ``settings`` by variable."""
    log_path = home / "api.log"
    with open_listener("127.0.0.1", 0) as listener, log_path.open("wb") as log:
        api = subprocess.Popen(
            build_module_command("api", "--fd", str(listener.fileno())),
            pass_fds=[listener.fileno()],
            env=_build_environment(home, database_url) | dict(settings),
            stdout=log,
            stderr=log,
            preexec_fn=make_parent_death_hook(),
        )
        port = int(listener.getsockname()[1])
        try:
            _wait_until_healthy(api, port, log_path)
            yield port
        finally:
            api.terminate()
            api.wait()


def _build_environment(home: Path, database_url: str) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_")
    }
    settings = {
        "EVENKEEL_HOME": str(home),
        "EVENKEEL_DATABASE_URL": database_url,
        "EVENKEEL_REDIS_URL": f"redis+socket://{home}/none",
    }
    return inherited | build_module_environment() | settings


def _wait_until_healthy(api: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
    while not asyncio.run(is_healthy("127.0.0.1", port)):
        if api.poll() is not None:
            raise SystemExit(log_path.read_text(encoding="utf-8"))
