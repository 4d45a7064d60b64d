"""All commands of ``evenkeel``, and how the program runs one.

Commands import heavy modules when they are called, so that ``evenkeel --help`` answers at once.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer.main import get_command

from cli.commands import actions, base_models, files, jobs, keys, models, service, training
from cli.commands.common import MODELS_PANEL, SERVICE_PANEL
from cli.console import print_text
from cli.errors import BAD_INPUT
from cli.failures import run_reporting_failures
from cli.help import HelpfulGroup

PROGRAM_NAME = "evenkeel"
app = typer.Typer(
    cls=HelpfulGroup,
    help=(
        "Stable fine-tuning of encoders: start the service, train over many seeds, and read "
        "how far the model can be trusted."
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (service, training, jobs, actions, models):
    app.add_typer(group.app)
app.add_typer(base_models.app, name="models", rich_help_panel=MODELS_PANEL)
app.add_typer(files.app, name="files", rich_help_panel=MODELS_PANEL)
app.add_typer(keys.app, name="keys", rich_help_panel=SERVICE_PANEL)
app.add_typer(service.database_app, name="db", rich_help_panel=SERVICE_PANEL)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print_text(f"{PROGRAM_NAME} {version(PROGRAM_NAME)}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def show_help_without_command(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print_text(context.get_help())
        raise typer.Exit(BAD_INPUT)


def run_program(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a character that the terminal lacks is no failure
            stream.reconfigure(errors="replace")

    def run_command() -> None:
        command = get_command(app)
        with command.make_context(PROGRAM_NAME, list(arguments)) as context:
            command.invoke(context)

    return run_reporting_failures(run_command)
