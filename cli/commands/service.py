"""Commands that start the service, one of its parts, or the demo."""

from pathlib import Path

import typer

from cli import options as option
from cli.commands.common import SERVICE_PANEL, create_command_group
from cli.help import CommandGroup, HelpfulGroup

app = create_command_group()
database_app = CommandGroup(cls=HelpfulGroup, help="Manage the database.", no_args_is_help=True)


@app.command(rich_help_panel=SERVICE_PANEL)
def up(
    home: option.DataFolder = Path("~/.evenkeel"),
    host: option.ListenHost = "127.0.0.1",
    port: option.ListenPort = 8000,
    workers: option.WorkerSlots = None,
    threads: option.Threads = None,
    opens_page: option.OpenPage = False,
) -> None:
    """Start the whole service on this machine: page, API, worker, queue and database.

    Ctrl-C stops it.
    """
    from cli.settings import read_settings
    from cli.up import ServiceOptions, run_service

    settings = read_settings()
    slots, run_threads = workers or settings.cores, threads or settings.threads
    chosen = ServiceOptions(home, host, port, slots, run_threads, opens_page)
    raise typer.Exit(run_service(chosen))


@app.command(rich_help_panel=SERVICE_PANEL)
def api(host: option.ApiHost = None, port: option.ApiPort = None) -> None:
    """Start the API alone, configured by EVENKEEL_* variables."""
    from cli.launch import exec_api

    exec_api(host, port)


@app.command(rich_help_panel=SERVICE_PANEL)
def worker() -> None:
    """Start a worker and its sweeper, configured by EVENKEEL_* variables."""
    from cli.launch import run_worker

    raise typer.Exit(run_worker())


@app.command(rich_help_panel=SERVICE_PANEL)
def demo(keep_home: option.KeptFolder = None, stay: option.Stay = False) -> None:
    """Start a temporary service and compare two recipes on a real data set.

    The report is written to the current folder. Takes 5 to 10 minutes on two CPU cores.
    """
    from cli.demo import run_demo

    raise typer.Exit(run_demo(keep_home, stays=stay))


@app.command(rich_help_panel=SERVICE_PANEL)
def doctor(
    home: option.DataFolder = Path("~/.evenkeel"),
    fix: option.Fix = False,
    digests: option.Digests = True,
) -> None:
    """Check that rows and stored files fit each other, without a service.

    Without a database of your own (EVENKEEL_DATABASE_URL) it checks the data folder.
    """
    from cli.doctor import run_doctor
    from cli.settings import read_settings

    settings = read_settings(home=home.expanduser().absolute())
    raise typer.Exit(run_doctor(settings, mends=fix, checks_digests=digests))


@database_app.command("upgrade")
def database_upgrade() -> None:
    """Migrate the database at EVENKEEL_DATABASE_URL to this version's tables."""
    from cli.database import upgrade_database
    from cli.settings import read_settings
    from shared.infra.private_files import keep_files_private

    keep_files_private()
    upgrade_database(read_settings().resolved_database_url)
