"""What the command modules share: help panels, command groups, the client and questions."""

import os
from typing import TYPE_CHECKING, Final

import typer

from cli.errors import CliError
from cli.help import CommandGroup

if TYPE_CHECKING:
    from cli.client import Client

SERVICE_PANEL: Final = "The service"
JOBS_PANEL: Final = "Jobs"
MODELS_PANEL: Final = "Models and data"


def create_command_group() -> typer.Typer:
    """Create a group whose commands become top-level commands of the program."""
    return CommandGroup(add_completion=False, pretty_exceptions_enable=False)


def create_client(url: str) -> "Client":
    """Create a client that sends the key in EVENKEEL_API_KEY, if there is one."""
    from cli.client import Client

    return Client(url, os.environ.get("EVENKEEL_API_KEY"))


def confirm_deletion(question: str) -> None:
    """Ask; raise CliError unless the answer is yes, and KeyboardInterrupt after Ctrl-C."""
    try:
        is_confirmed = typer.confirm(question)
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise CliError("Nothing was deleted: there was no answer. Use --yes.") from error
    if not is_confirmed:
        raise CliError("Nothing was deleted.")
