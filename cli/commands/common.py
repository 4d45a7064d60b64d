"""What the command modules share: help panels, command groups and the client."""

import os
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from cli.client import Client

SERVICE_PANEL: Final = "The service"
JOBS_PANEL: Final = "Jobs"
MODELS_PANEL: Final = "Models and data"


def create_command_group() -> typer.Typer:
    """Create a group whose commands become top-level commands of the program."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def create_client(url: str) -> "Client":
    """Create a client that sends the key in EVENKEEL_API_KEY, if there is one."""
    from cli.client import Client

    return Client(url, os.environ.get("EVENKEEL_API_KEY"))
