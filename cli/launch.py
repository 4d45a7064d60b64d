"""``evenkeel api`` and ``evenkeel worker``: start one part of the service, as containers do."""

import asyncio
import os
import sys
from typing import NoReturn

from cli.child_output import ChildOutput
from cli.processes import Supervisor
from cli.settings import read_service_settings
from cli.up import build_worker_programs, require_worker_packages
from shared.infra.child_process import build_module_command, build_module_environment
from shared.infra.private_files import keep_files_private


def exec_api(host: str | None, port: int | None) -> NoReturn:
    """Replace this process with the API, so that signals reach the API directly."""
    keep_files_private()
    read_service_settings()
    environment = {**os.environ, **build_module_environment()}
    environment.update({"EVENKEEL_HOST": host} if host is not None else {})
    environment.update({"EVENKEEL_PORT": str(port)} if port is not None else {})
    command = build_module_command("api")
    os.execve(command[0], command, environment)


def run_worker() -> int:
    """Run a Celery worker and a sweeper until a signal stops them; return the exit code.

    Every worker brings a sweeper, because any number of sweepers can run side by side.
    """
    keep_files_private()
    require_worker_packages()
    read_service_settings()
    programs = build_worker_programs(build_module_environment())
    output = ChildOutput([program.name for program in programs], stream=sys.stdout)
    return asyncio.run(Supervisor(programs, output).run())
