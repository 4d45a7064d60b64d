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
USUAL_VARIABLES: Final = frozenset({"EVENKEEL_API_KEY", "EVENKEEL_HOME", "EVENKEEL_URL"})


def create_command_group() -> typer.Typer:
    """Create a group whose commands become top-level commands of the program."""
    return CommandGroup(add_completion=False, pretty_exceptions_enable=False)


def create_client(url: str) -> "Client":
    """Create a client that sends the key in EVENKEEL_API_KEY, if there is one."""
    from cli.client import Client

    _warn_misspelled_variables()
    return Client(url, os.environ.get("EVENKEEL_API_KEY"))


def _warn_misspelled_variables() -> None:
    """Warn of variables without effect. The names of settings are only loaded if one is unusual."""
    names = {name for name in os.environ if name.upper().startswith("EVEN")}
    if names <= USUAL_VARIABLES:
        return
    from cli.console import OutputConsole
    from shared.infra.variable_names import list_misspelled_variables

    for sentence in list_misspelled_variables(os.environ):
        OutputConsole(stderr=True).print(f"Warning: {sentence}", markup=False, soft_wrap=True)


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
