"""``python -m worker.maintenance.health``: the health check of a worker container.

Exits with code 0, or with 1 and the reasons. It reads the process table and queries the database;
it imports neither Celery nor torch, so that it stays fast.
"""

import sys
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.db.health import check_connection
from shared.db.session import make_engine
from shared.infra.settings import read_settings_or_exit

# the processes of `evenkeel worker`, each started as `python -m <name>`
PROGRAMS = ("worker", "worker.maintenance.sweeper")


def list_missing_programs(processes: Path = Path("/proc")) -> list[str]:
    """Return those of PROGRAMS that no process runs.

    Zombies do not count, because they have no command line.
    """
    running = {
        _read_module_name(entry / "cmdline")
        for entry in processes.iterdir()
        if entry.name.isdecimal()
    }
    return [name for name in PROGRAMS if name not in running]


def find_database_problem(url: str) -> str | None:
    """Return why the database cannot be reached, or None."""
    engine = make_engine(url)
    try:
        with Session(engine) as session:
            check_connection(session)
    except SQLAlchemyError as error:
        return f"the database cannot be reached ({type(error).__name__})"
    finally:
        engine.dispose()
    return None


def _read_module_name(command_line: Path) -> str | None:
    """Return the module that ``python -m`` runs in this process, or None for other processes."""
    try:
        arguments = command_line.read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # ended, or another user's
        return None
    if b"-m" not in arguments[:-1]:
        return None
    return arguments[arguments.index(b"-m") + 1].decode(errors="replace")


def main() -> int:
    problems = [f"{name} is not running" for name in list_missing_programs()]
    database = find_database_problem(read_settings_or_exit().resolved_database_url)
    if database is not None:
        problems.append(database)
    sys.stdout.write(
        "; ".join(problems)
        or "the worker and the sweeper are running and the database can be reached"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
