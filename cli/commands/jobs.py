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
    from cli.identifiers import resolve_job_id
    from cli.train import show_job

    with create_client(url) as client:
        job_id = resolve_job_id(client, job)
        raise typer.Exit(show_job(client, job_id, should_follow=follow, as_json=as_json))


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
    from cli.identifiers import resolve_job_id
    from cli.report_files import write_report

    with create_client(url) as client:
        write_report(client, resolve_job_id(client, job), html=html, png=png, csv=csv)


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
    from cli.identifiers import resolve_job_ids

    with create_client(url) as client:
        job_ids = resolve_job_ids(client, jobs)
        raise typer.Exit(
            compare_jobs(client, job_ids, metric=metric, alpha=alpha, html=html, as_json=as_json)
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
    from cli.identifiers import resolve_job_id

    with create_client(url) as client:
        job_id = resolve_job_id(client, job)
        raise typer.Exit(show_events(client, job_id, limit, follow=follow))


@app.command(rich_help_panel=JOBS_PANEL)
def logs(
    run: option.RunId, job: option.JobOfRun = None, url: option.Url = option.DEFAULT_URL
) -> None:
    """Print the log of a run's training process.

    The service stores it when an attempt ends. Until then, and for a run that wrote nothing, the
    run's events are printed to stderr instead.
    """
    from cli.identifiers import resolve_run
    from cli.logs import show_log

    with create_client(url) as client:
        show_log(client, *resolve_run(client, run, job))


@app.command(rich_help_panel=JOBS_PANEL)
def queue(as_json: option.AsJson = False, url: option.Url = option.DEFAULT_URL) -> None:
    """Show the waiting and running runs, and the workers."""
    from cli.queue import format_queue
    from cli.tables import make_console

    with create_client(url) as client:
        found = client.get_queue()
    if as_json:
        make_console().print_value(found.model_dump_json())
    else:
        make_console().print(format_queue(found))


@app.command(rich_help_panel=JOBS_PANEL)
def usage(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of items.")] = 20,
    as_json: option.AsJson = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Show what takes the room in the storage: models, files and runs, the largest first."""
    from cli.tables import make_console
    from cli.usage import format_usage

    with create_client(url) as client:
        found = client.get_storage_usage(limit)
    if as_json:
        make_console().print_value(found.model_dump_json())
    else:
        make_console().print(format_usage(found))
