"""What can be done to jobs. Those that take several go on to the next only if the one before
could be moved.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.common import (
    DEFAULT_URL,
    JOBS_PANEL,
    Detach,
    JobId,
    JobIds,
    Url,
    create_client,
    create_command_group,
)
from cli.errors import CliError

if TYPE_CHECKING:
    from cli.api_models import Job

app = create_command_group()


@app.command(rich_help_panel=JOBS_PANEL)
def cancel(jobs: JobIds, url: Url = DEFAULT_URL) -> None:
    """Stop jobs; what their finished runs have shown is kept."""
    with create_client(url) as client:
        for job in jobs:
            _print_status(client.cancel_job(job), "its runs are being stopped")


@app.command(rich_help_panel=JOBS_PANEL)
def pause(jobs: JobIds, url: Url = DEFAULT_URL) -> None:
    """Have jobs wait: runs in training stop where they are and begin no other."""
    with create_client(url) as client:
        for job in jobs:
            _print_status(client.pause_job(job))


@app.command(rich_help_panel=JOBS_PANEL)
def resume(jobs: JobIds, url: Url = DEFAULT_URL) -> None:
    """Go on with paused jobs."""
    with create_client(url) as client:
        for job in jobs:
            _print_status(client.resume_job(job))


@app.command(rich_help_panel=JOBS_PANEL)
def extend(
    job: JobId,
    seeds: Annotated[int, typer.Option(min=1, max=200, help="How many more runs.")],
    detach: Detach = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Add runs from further seeds to a job, without redoing any."""
    from cli.train import follow_or_detach

    with create_client(url) as client:
        raise typer.Exit(
            follow_or_detach(client, client.extend_job(job, seeds), as_json=False, detach=detach)
        )


@app.command(rich_help_panel=JOBS_PANEL)
def clone(
    job: JobId,
    preset: Annotated[
        str | None, typer.Option(help="Another recipe.", show_default="the job's")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Another base model.", show_default="the job's")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Another number of runs.", show_default="the job's")
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Part of its model's id.", show_default="the job's")
    ] = None,
    detach: Detach = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Make a new job from an earlier one's request; a recipe or number of runs given here
    replaces that one's whole.
    """
    from cli.job_request import TrainOptions, build_clone_request
    from cli.train import follow_or_detach

    asked = build_clone_request(
        TrainOptions(preset=preset, model=model, seeds=seeds, suffix=suffix)
    )
    with create_client(url) as client:
        raise typer.Exit(
            follow_or_detach(client, client.clone_job(job, asked), as_json=False, detach=detach)
        )


@app.command(rich_help_panel=JOBS_PANEL)
def retry(job: JobId, detach: Detach = False, url: Url = DEFAULT_URL) -> None:
    """Train a job's failed and cancelled runs again."""
    from cli.train import follow_or_detach
    from shared.domain.states import RunState

    with create_client(url) as client:
        again = [
            run
            for run in client.list_runs(job)
            if run.status in {RunState.FAILED, RunState.CANCELLED}
        ]
        if not again:
            raise CliError(f"None of {job}'s runs has failed or was cancelled.")
        for run in again:
            client.retry_run(job, run.id)
        raise typer.Exit(
            follow_or_detach(client, client.get_job(job), as_json=False, detach=detach)
        )


@app.command(rich_help_panel=JOBS_PANEL)
def delete(
    jobs: JobIds,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Delete ended jobs with their runs, models and result files; the files they were trained
    on stay.
    """
    if not yes and not typer.confirm(f"Delete {', '.join(jobs)} with all models and results?"):
        raise CliError("Nothing was deleted.")
    with create_client(url) as client:
        for job in jobs:
            client.delete_job(job)
            typer.echo(f"{job}: deleted")


def _print_status(job: "Job", pending_text: str = "") -> None:
    typer.echo(
        f"{job.id}: {pending_text if pending_text and not job.has_ended else job.status.value}"
    )
