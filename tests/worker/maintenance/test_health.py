"""The health check of a worker container, on simulated processes and a real database."""

from pathlib import Path

import pytest

from worker.maintenance.health import find_database_problem, list_missing_programs


def build_process_table(folder: Path, *commands: str) -> Path:
    """Build a /proc folder of processes with these command lines."""
    (folder / "self").mkdir()
    (folder / "meminfo").write_text("MemTotal: 1 kB\n")
    for pid, command in enumerate(commands, start=1):
        (folder / str(pid)).mkdir()
        (folder / str(pid) / "cmdline").write_bytes(
            b"".join(word.encode() + b"\0" for word in command.split())
        )
    return folder


@pytest.mark.parametrize(
    ("commands", "missing"),
    [
        (
            [
                "tini -- evenkeel worker",
                "/usr/bin/python -u -m worker",
                "/usr/bin/python -u -m worker.maintenance.sweeper",
            ],
            [],
        ),
        (
            ["python -m worker.maintenance.sweeper", "python -m worker.trainer --parent 7"],
            ["worker"],
        ),
        (
            ["python -u -m worker", "python -m worker.maintenance.health"],
            ["worker.maintenance.sweeper"],
        ),
        (
            ["tini -- evenkeel worker", "python -m", "", "worker worker.maintenance.sweeper"],
            ["worker", "worker.maintenance.sweeper"],
        ),
    ],
    ids=["both", "no worker", "no sweeper", "names alone"],
)
def test_programs_are_found_by_the_module_they_run(
    tmp_path: Path, commands: list[str], missing: list[str]
) -> None:
    assert list_missing_programs(build_process_table(tmp_path, *commands)) == missing


def test_a_process_that_ends_during_the_check_is_ignored(tmp_path: Path) -> None:
    table = build_process_table(
        tmp_path, "python -m worker", "python -m worker.maintenance.sweeper"
    )
    (table / "2" / "cmdline").unlink()
    assert list_missing_programs(table) == ["worker.maintenance.sweeper"]


def test_an_unreachable_database_is_reported(tmp_path: Path) -> None:
    assert find_database_problem(f"sqlite:///{tmp_path / 'evenkeel.db'}") is None
    nobody = "postgresql+psycopg://evenkeel@127.0.0.1:1/evenkeel"
    assert find_database_problem(nobody) == "the database does not answer (OperationalError)"
