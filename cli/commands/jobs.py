"""Looking at jobs."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.common import JOBS, LOCAL, AsJson, JobId, Url, client_of, command_group

app = command_group()


@app.command(rich_help_panel=JOBS)
def jobs(
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most jobs to list.")] = 20,
    url: Url = LOCAL,
) -> None:
    """List the jobs, newest first."""
    from cli.tables import jobs_table, make_console

    with client_of(url) as client:
        make_console().print(jobs_table(client.jobs(limit)))


@app.command(rich_help_panel=JOBS)
def show(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show its runs until it has ended.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print job and report as JSON.")] = False,
    url: Url = LOCAL,
) -> None:
    """Show a job and its report."""
    from cli.train import show as show_job

    with client_of(url) as client:
        raise typer.Exit(show_job(client, job, follow_it=follow, as_json=as_json))


@app.command(rich_help_panel=JOBS)
def report(
    job: JobId,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the report as a page.")
    ] = None,
    png: Annotated[Path | None, typer.Option(dir_okay=False, help="Write its figure.")] = None,
    csv: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write every seed's scores.")
    ] = None,
    url: Url = LOCAL,
) -> None:
    """Print a job's stability report, or write it to files."""
    from cli.report_files import write_report

    with client_of(url) as client:
        write_report(client, job, html=html, png=png, csv=csv)


@app.command(rich_help_panel=JOBS)
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
    url: Url = LOCAL,
) -> None:
    """Compare jobs: which is better, as far as their seeds can tell."""
    from cli.compare import compare as compare_jobs

    with client_of(url) as client:
        raise typer.Exit(
            compare_jobs(client, jobs, metric=metric, alpha=alpha, html=html, as_json=as_json)
        )


@app.command(rich_help_panel=JOBS)
def events(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with those that come, until it has ended.")
    ] = False,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, max=1000, help="Most of the past ones.")
    ] = 20,
    url: Url = LOCAL,
) -> None:
    """Print what has happened to a job, oldest first."""
    from cli.events import show_events

    with client_of(url) as client:
        raise typer.Exit(show_events(client, job, limit, follow=follow))


@app.command(rich_help_panel=JOBS)
def queue(as_json: AsJson = False, url: Url = LOCAL) -> None:
    """Show what waits, what trains, and which workers there are."""
    from cli.queue import queue_view
    from cli.tables import make_console

    with client_of(url) as client:
        found = client.queue()
    if as_json:
        make_console().print_json(found.model_dump_json())
    else:
        make_console().print(queue_view(found))
