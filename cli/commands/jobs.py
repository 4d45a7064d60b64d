"""Commands that show jobs, their reports and the queue."""

from pathlib import Path
from typing import Annotated

import typer

from cli import options as option
from cli.commands.common import JOBS_PANEL, create_client, create_command_group

app = create_command_group()


@app.command(rich_help_panel=JOBS_PANEL)
def jobs(
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="Maximum number of jobs to list.")
    ] = 20,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """List jobs, newest first."""
    from cli.tables import build_jobs_table, make_console

    with create_client(url) as client:
        make_console().print(build_jobs_table(client.list_jobs(limit)))


@app.command(rich_help_panel=JOBS_PANEL)
def show(
    job: option.JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the runs' progress until the job ends.")
    ] = False,
    as_json: option.ReportAsJson = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Show a job and its report."""
    from cli.train import show_job

    with create_client(url) as client:
        raise typer.Exit(show_job(client, job, should_follow=follow, as_json=as_json))


@app.command(rich_help_panel=JOBS_PANEL)
def report(
    job: option.JobId,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the report as an HTML page.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the report's figure as a PNG.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write every seed's scores as CSV.")
    ] = None,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Print a job's stability report, or write it to files."""
    from cli.report_files import write_report

    with create_client(url) as client:
        write_report(client, job, html=html, png=png, csv=csv)


@app.command(rich_help_panel=JOBS_PANEL)
def compare(
    jobs: option.ComparedJobs,
    metric: option.ComparisonMetric = None,
    alpha: option.Alpha = 0.05,
    html: option.ComparisonPage = None,
    as_json: option.AsJson = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Test whether one job is better than another, given the spread over their seeds."""
    from cli.compare import compare_jobs

    with create_client(url) as client:
        raise typer.Exit(
            compare_jobs(client, jobs, metric=metric, alpha=alpha, html=html, as_json=as_json)
        )


@app.command(rich_help_panel=JOBS_PANEL)
def events(
    job: option.JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep printing new events until the job ends.")
    ] = False,
    limit: Annotated[
        int,
        typer.Option("-n", "--limit", min=1, max=1000, help="Maximum number of past events."),
    ] = 20,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Print a job's events, oldest first."""
    from cli.events import show_events

    with create_client(url) as client:
        raise typer.Exit(show_events(client, job, limit, follow=follow))


@app.command(rich_help_panel=JOBS_PANEL)
def queue(as_json: option.AsJson = False, url: option.Url = option.DEFAULT_URL) -> None:
    """Show the waiting and running runs, and the workers."""
    from cli.queue import format_queue
    from cli.tables import make_console

    with create_client(url) as client:
        found = client.get_queue()
    if as_json:
        make_console().print_json(found.model_dump_json())
    else:
        make_console().print(format_queue(found))
