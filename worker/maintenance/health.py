"""``python -m worker.maintenance.health``: whether the worker of this container can do its
work; exit code 0, or 1 and why not.

For a container's health check: it looks at the process table and asks the database, and imports
neither Celery nor torch.
"""

import sys
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared.db.session import make_engine
from shared.infra.settings import Settings

PROGRAMS = (
    "worker",
    "worker.maintenance.sweeper",
)  # what `evenkeel worker` keeps running, each as `python -m <name>`


def list_missing_programs(processes: Path = Path("/proc")) -> list[str]:
    """Those of PROGRAMS that no live process runs; a zombie has no command line any more and
    does not count.
    """
    running = {
        _read_module_name(entry / "cmdline")
        for entry in processes.iterdir()
        if entry.name.isdecimal()
    }
    return [name for name in PROGRAMS if name not in running]


def find_database_problem(url: str) -> str | None:
    """Why the database does not answer, or None."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return f"the database does not answer ({type(error).__name__})"
    finally:
        engine.dispose()
    return None


def _read_module_name(command_line: Path) -> str | None:
    """The module that a Python process was started to run, or None for whatever else it is."""
    try:
        arguments = command_line.read_bytes().split(b"\0")
    except (
        FileNotFoundError,
        ProcessLookupError,
        PermissionError,
    ):  # it ended meanwhile, or is not ours to read
        return None
    if b"-m" not in arguments[:-1]:
        return None
    return arguments[arguments.index(b"-m") + 1].decode(errors="replace")


def main() -> int:
    problems = [f"{name} is not running" for name in list_missing_programs()]
    database = find_database_problem(Settings().resolved_database_url)
    if database is not None:
        problems.append(database)
    sys.stdout.write("; ".join(problems) or "worker and sweeper run, the database answers")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
