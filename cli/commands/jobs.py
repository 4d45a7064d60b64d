"""Looking at jobs."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.common import (
    DEFAULT_URL,
    JOBS_PANEL,
    AsJson,
    JobId,
    Url,
    create_client,
    create_command_group,
)

app = create_command_group()


@app.command(rich_help_panel=JOBS_PANEL)
def jobs(
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most jobs to list.")] = 20,
    url: Url = DEFAULT_URL,
) -> None:
    """List the jobs, newest first."""
    from cli.tables import build_jobs_table, make_console

    with create_client(url) as client:
        make_console().print(build_jobs_table(client.list_jobs(limit)))


@app.command(rich_help_panel=JOBS_PANEL)
def show(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show its runs until it has ended.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print job and report as JSON.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Show a job and its report."""
    from cli.train import show_job as show_job

    with create_client(url) as client:
        raise typer.Exit(show_job(client, job, should_follow=follow, as_json=as_json))


@app.command(rich_help_panel=JOBS_PANEL)
def report(
    job: JobId,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the report as a page.")
    ] = None,
    png: Annotated[Path | None, typer.Option(dir_okay=False, help="Write its figure.")] = None,
    csv: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write every seed's scores.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print a job's stability report, or write it to files."""
    from cli.report_files import write_report

    with create_client(url) as client:
        write_report(client, job, html=html, png=png, csv=csv)


@app.command(rich_help_panel=JOBS_PANEL)
def compare(
    jobs: Annotated[
        list[str], typer.Argument(metavar="JOB JOB [JOB…]", help="2 to 10 jobs on the same rows.")
    ],
    metric: Annotated[str | None, typer.Option(help="Another score than the jobs' own.")] = None,
    alpha: Annotated[float, typer.Option(help="Highest p that counts as shown.")] = 0.05,
    html: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write their reports side by side as a page."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Compare jobs: which is better, as far as their seeds can tell."""
    from cli.compare import compare_jobs as compare_jobs

    with create_client(url) as client:
        raise typer.Exit(
            compare_jobs(client, jobs, metric=metric, alpha=alpha, html=html, as_json=as_json)
        )


@app.command(rich_help_panel=JOBS_PANEL)
def events(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with those that come, until it has ended.")
    ] = False,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, max=1000, help="Most of the past ones.")
    ] = 20,
    url: Url = DEFAULT_URL,
) -> None:
    """Print what has happened to a job, oldest first."""
    from cli.events import show_events

    with create_client(url) as client:
        raise typer.Exit(show_events(client, job, limit, follow=follow))


@app.command(rich_help_panel=JOBS_PANEL)
def queue(as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Show what waits, what trains, and which workers there are."""
    from cli.queue import format_queue
    from cli.tables import make_console

    with create_client(url) as client:
        found = client.get_queue()
    if as_json:
        make_console().print_json(found.model_dump_json())
    else:
        make_console().print(format_queue(found))
