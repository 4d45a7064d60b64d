"""The ``evenkeel`` program: starts the service or one of its parts, and is its HTTP client.

Commands import heavy modules when they are called, so that ``evenkeel --help`` answers at once.
Exit codes: 0 success, 1 a job failed or was cancelled, 2 the request cannot be carried out.
"""

import sys

import typer

from cli.commands import actions, jobs, models, service, training
from cli.errors import CliError

app = typer.Typer(
    help=(
        "Stable fine-tuning of encoders: start the service, train over many seeds, and read "
        "how far the model can be trusted."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (service, training, jobs, actions, models):
    app.add_typer(group.app)
app.add_typer(service.database_app, name="db")


def main() -> None:
    """Run the program; a CliError is printed without a traceback."""
    try:
        app()
    except CliError as error:
        typer.secho(f"Error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
