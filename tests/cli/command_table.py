"""One row per command of ``evenkeel``, as the matrix of failures runs it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from typer.core import TyperGroup
from typer.main import get_command

from cli.program import app
from tests.cli.answering_service import (
    BASE_MODEL,
    COMPARISON_ID,
    FILE_ID,
    JOB_ID,
    MODEL,
    OTHER_JOB_ID,
    RUN_ID,
    WORKER,
)

UNKNOWN = "0123"  # the beginning of no id
DATA = "{data}"  # stands for a file with rows
MODEL_FOLDER = "{model}"  # stands for the folder of a model
KEY_NAME = "a-key-with-a-name-of-sixty-characters-which-is-quite-long-01"
NEW = "{new}"  # stands for a path where nothing is


class Row(NamedTuple):
    """A call of a command that reaches the service, and what its output has whole."""

    arguments: tuple[str, ...] = ()
    unknown: tuple[str, ...] | None = None
    """The same with an unknown id; None for a command without ids."""
    shown: tuple[str, ...] = ()
    """Ids, names and commands of the output, none of which may be cut."""
    prints: bool = True
    """Whether it writes to stdout, so that a closed pipe matters."""


CLIENT_COMMANDS = {
    "train": Row((DATA, "--model", "m"), shown=(JOB_ID, BASE_MODEL, MODEL)),
    "jobs": Row(shown=(JOB_ID, BASE_MODEL, MODEL)),
    "show": Row((JOB_ID,), (UNKNOWN,), (JOB_ID, BASE_MODEL, MODEL)),
    "report": Row((JOB_ID,), (UNKNOWN,), (MODEL,)),
    "compare": Row(
        (JOB_ID, OTHER_JOB_ID), (JOB_ID, UNKNOWN), (JOB_ID, OTHER_JOB_ID, COMPARISON_ID)
    ),
    "events": Row((JOB_ID,), (UNKNOWN,), (JOB_ID, MODEL)),
    "logs": Row(("last",), (UNKNOWN,)),
    "queue": Row(shown=(JOB_ID, RUN_ID, WORKER)),
    "usage": Row(shown=(JOB_ID, MODEL, FILE_ID)),
    "cancel": Row((JOB_ID,), (UNKNOWN,), (JOB_ID,)),
    "pause": Row((JOB_ID,), (UNKNOWN,), (JOB_ID,)),
    "resume": Row((JOB_ID,), (UNKNOWN,), (JOB_ID,)),
    "extend": Row(
        (JOB_ID, "--seeds", "1", "--detach"),
        (UNKNOWN, "--seeds", "1"),
        (JOB_ID, f"evenkeel show {JOB_ID} --follow"),
    ),
    "clone": Row((JOB_ID, "--detach"), (UNKNOWN,), (JOB_ID, f"evenkeel show {JOB_ID} --follow")),
    "retry": Row((JOB_ID, "--detach"), (UNKNOWN,), (f"evenkeel show {JOB_ID} --follow",)),
    "delete": Row((JOB_ID, "--yes"), (UNKNOWN, "--yes"), (JOB_ID,)),
    "classify": Row(("last", "a film"), (UNKNOWN, "a film")),
    "download": Row(("last", NEW), (UNKNOWN, NEW), (MODEL,)),
    "models list": Row(shown=(MODEL, BASE_MODEL, JOB_ID)),
    "models upload": Row((MODEL_FOLDER,), shown=(FILE_ID,)),
    "preview": Row((DATA,)),
    "recipes": Row(shown=("pretrained_weight_decay", "reinit_layers,")),
    "files list": Row(shown=(FILE_ID,)),
    "files show": Row((FILE_ID,), (UNKNOWN,), (FILE_ID,)),
    "files download": Row((FILE_ID, NEW), (UNKNOWN, NEW), (FILE_ID,), prints=False),
    "files delete": Row((FILE_ID, "--yes"), (UNKNOWN, "--yes"), (FILE_ID,)),
}

LOCAL_COMMANDS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "up": (("--home", "/dev/null/home", "--port", "0"), {}),
    "api": ((), {"EVENKEEL_LEASE_SECONDS": "x"}),
    "worker": ((), {"EVENKEEL_LEASE_SECONDS": "x"}),
    "demo": (("--keep-home", "/dev/null/home"), {}),
    "doctor": (("--home", "/dev/null/home"), {}),
    "sample": (("/dev/null/sample.csv",), {}),
    "models fetch": (("no/hub/id",), {}),
    "db upgrade": ((), {"EVENKEEL_DATABASE_URL": "nonsense"}),
    "keys create": (("web", "--home", "/dev/null/home"), {}),
    "keys list": ((), {"EVENKEEL_DATABASE_URL": "nonsense"}),
    "keys revoke": (("web", "--home", "/dev/null/home"), {}),
}
"""Commands that need no service: arguments and variables with which they cannot."""


HOME = "{home}"  # stands for a data folder with a key
LOCAL_ENDINGS: dict[str, Row] = {
    "sample": Row((NEW,), shown=("evenkeel train new",)),
    "doctor": Row(("--home", HOME)),
    "db upgrade": Row(prints=False),
    "keys create": Row(("web", "--home", HOME), shown=("EVENKEEL_API_KEY", "ek_")),
    "keys list": Row(("--home", HOME), shown=(KEY_NAME,)),
    "keys revoke": Row((KEY_NAME, "--home", HOME), shown=(KEY_NAME,), prints=False),
}
"""Calls of those that end by themselves and need nothing from elsewhere."""
RUNNING_COMMANDS = ("up", "api", "worker", "demo", "models fetch")
"""Those that run until they are stopped, or reach for the hub; they have tests of their own."""


def list_command_names() -> list[str]:
    """List all commands of the program, with the groups that they belong to."""
    return list(_walk(get_command(app), ""))


def _walk(group: Any, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _walk(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"
