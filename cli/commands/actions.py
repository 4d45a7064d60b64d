"""What can be done to jobs. Those that take several go on to the next only if the one before could be moved."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.common import JOBS, LOCAL, Detach, JobId, JobIds, Url, client_of, command_group
from cli.errors import CliError

if TYPE_CHECKING:
    from cli.api_models import Job

app = command_group()


@app.command(rich_help_panel=JOBS)
def cancel(jobs: JobIds, url: Url = LOCAL) -> None:
    """Stop jobs; what their finished runs have shown is kept."""
    with client_of(url) as client:
        for job in jobs:
            _say(client.cancel(job), "its runs are being stopped")


@app.command(rich_help_panel=JOBS)
def pause(jobs: JobIds, url: Url = LOCAL) -> None:
    """Have jobs wait: runs in training stop where they are and begin no other."""
    with client_of(url) as client:
        for job in jobs:
            _say(client.pause(job))


@app.command(rich_help_panel=JOBS)
def resume(jobs: JobIds, url: Url = LOCAL) -> None:
    """Go on with paused jobs."""
    with client_of(url) as client:
        for job in jobs:
            _say(client.resume(job))


@app.command(rich_help_panel=JOBS)
def extend(
    job: JobId,
    seeds: Annotated[int, typer.Option(min=1, max=200, help="How many more runs.")],
    detach: Detach = False,
    url: Url = LOCAL,
) -> None:
    """Add runs from further seeds to a job, without redoing any."""
    from cli.train import begun

    with client_of(url) as client:
        raise typer.Exit(begun(client, client.extend(job, seeds), as_json=False, detach=detach))


@app.command(rich_help_panel=JOBS)
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
    url: Url = LOCAL,
) -> None:
    """Make a new job from an earlier one's request; a recipe or number of runs given here replaces that one's whole."""
    from cli.job_request import TrainOptions, changes
    from cli.train import begun

    asked = changes(TrainOptions(preset=preset, model=model, seeds=seeds, suffix=suffix))
    with client_of(url) as client:
        raise typer.Exit(begun(client, client.clone(job, asked), as_json=False, detach=detach))


@app.command(rich_help_panel=JOBS)
def retry(job: JobId, detach: Detach = False, url: Url = LOCAL) -> None:
    """Train a job's failed and cancelled runs again."""
    from cli.train import begun
    from shared.domain.states import RunState

    with client_of(url) as client:
        again = [
            run for run in client.runs(job) if run.status in {RunState.FAILED, RunState.CANCELLED}
        ]
        if not again:
            raise CliError(f"None of {job}'s runs has failed or was cancelled.")
        for run in again:
            client.retry(job, run.id)
        raise typer.Exit(begun(client, client.job(job), as_json=False, detach=detach))


@app.command(rich_help_panel=JOBS)
def delete(
    jobs: JobIds,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = LOCAL,
) -> None:
    """Delete ended jobs with their runs, models and result files; the files they were trained on stay."""
    if not yes and not typer.confirm(f"Delete {', '.join(jobs)} with all models and results?"):
        raise CliError("Nothing was deleted.")
    with client_of(url) as client:
        for job in jobs:
            client.delete_job(job)
            typer.echo(f"{job}: deleted")


def _say(job: "Job", on_the_way: str = "") -> None:
    typer.echo(f"{job.id}: {on_the_way if on_the_way and not job.ended else job.status.value}")
