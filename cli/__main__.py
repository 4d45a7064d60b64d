"""``evenkeel``: starts the service or its parts, and talks to a running one over HTTP.

Heavy imports wait inside the commands that need them, so that ``evenkeel --help`` answers at once.
Exit codes: 0 all well, 1 a job failed or was cancelled, 2 what was asked for cannot be done.
"""

import sys

import typer

from cli.commands import actions, jobs, models, service, training
from cli.errors import CliError

app = typer.Typer(
    help=(
        "Stability-first fine-tuning of encoders: start the service, train over many "
        "seeds, read the report."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (service, training, jobs, actions, models):
    app.add_typer(group.app)
app.add_typer(service.database_app, name="db")


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except CliError as error:
        typer.secho(f"Error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
