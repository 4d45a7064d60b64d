"""Starting the service, or its parts."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.common import SERVICE_PANEL, create_command_group

app = create_command_group()
database_app = typer.Typer(help="The database.", no_args_is_help=True)


@app.command(rich_help_panel=SERVICE_PANEL)
def up(
    home: Annotated[
        Path,
        typer.Option(
            envvar="EVENKEEL_HOME", file_okay=False, help="Data folder; survives restarts."
        ),
    ] = Path("~/.evenkeel"),
    host: Annotated[
        str, typer.Option(envvar="EVENKEEL_HOST", help="Address to serve.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="EVENKEEL_PORT", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int | None,
        typer.Option(
            envvar="EVENKEEL_WORKER_SLOTS",
            min=1,
            max=256,
            help="Runs at once.",
            show_default="CPU cores",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="CPU threads of each; else EVENKEEL_THREADS.",
            show_default="by the job",
        ),
    ] = None,
) -> None:
    """Start everything on this machine: API, worker, queue and database; Ctrl-C stops it."""
    from cli.settings import read_settings
    from cli.up import ServiceOptions
    from cli.up import run_service as start

    settings = read_settings()
    stack = ServiceOptions(
        home=home,
        host=host,
        port=port,
        slots=workers or settings.cores,
        threads=threads or settings.threads,
    )
    raise typer.Exit(start(stack))


@app.command(rich_help_panel=SERVICE_PANEL)
def api(
    host: Annotated[str | None, typer.Option(help="Address to serve; else EVENKEEL_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Else EVENKEEL_PORT.")] = None,
) -> None:
    """Start the API alone, configured by EVENKEEL_*."""
    from cli.launch import exec_api

    exec_api(host, port)


@app.command(rich_help_panel=SERVICE_PANEL)
def worker() -> None:
    """Start a worker and its sweeper, configured by EVENKEEL_*."""
    from cli.launch import run_worker

    raise typer.Exit(run_worker())


@app.command(rich_help_panel=SERVICE_PANEL)
def demo(
    keep_home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Keep the service's data there afterwards."
        ),
    ] = None,
) -> None:
    """See it work: a stack of its own, a real data set, two recipes over five seeds, the
    comparison.
    """
    from cli.demo import run_demo as run_demo

    raise typer.Exit(run_demo(keep_home))


@database_app.command("upgrade")
def database_upgrade() -> None:
    """Bring the database at EVENKEEL_DATABASE_URL to this version's tables."""
    from cli.database import upgrade_database
    from cli.settings import read_settings

    upgrade_database(read_settings().resolved_database_url)
