"""What several commands take, and where they are listed."""

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from cli.client import Client

SERVICE_PANEL: Final = "The service"
JOBS_PANEL: Final = "Jobs"
MODELS_PANEL: Final = "Models and data"

DEFAULT_URL: Final = "http://127.0.0.1:8000"
Url = Annotated[
    str, typer.Option("--url", envvar="EVENKEEL_URL", help="Where the service answers.")
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id: ftjob-…")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB…", help="Jobs' ids: ftjob-…")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for the job.")]


def create_command_group() -> typer.Typer:
    """Commands that are merged into the program's own."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def create_client(url: str) -> "Client":
    from cli.client import Client

    return Client(url, os.environ.get("EVENKEEL_API_KEY"))
