"""Commands that change jobs. A command for several jobs stops at the first one that fails."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import options as option
from cli.commands.common import (
    JOBS_PANEL,
    confirm_deletion,
    create_client,
    create_command_group,
)
from cli.console import print_text

if TYPE_CHECKING:
    from cli.api_models import Job

app = create_command_group()


@app.command(rich_help_panel=JOBS_PANEL)
def cancel(jobs: option.JobIds, url: option.Url = option.DEFAULT_URL) -> None:
    """Cancel jobs; the results of finished runs are kept."""
    from cli.identifiers import resolve_job_ids

    with create_client(url) as client:
        for job in resolve_job_ids(client, jobs):
            _print_status(client.cancel_job(job), pending_text="stopping its runs")


@app.command(rich_help_panel=JOBS_PANEL)
def pause(jobs: option.JobIds, url: option.Url = option.DEFAULT_URL) -> None:
    """Pause jobs: their training stops where it is, and no further run starts."""
    from cli.identifiers import resolve_job_ids

    with create_client(url) as client:
        for job in resolve_job_ids(client, jobs):
            _print_status(client.pause_job(job))


@app.command(rich_help_panel=JOBS_PANEL)
def resume(jobs: option.JobIds, url: option.Url = option.DEFAULT_URL) -> None:
    """Resume paused jobs."""
    from cli.identifiers import resolve_job_ids

    with create_client(url) as client:
        for job in resolve_job_ids(client, jobs):
            _print_status(client.resume_job(job))


@app.command(rich_help_panel=JOBS_PANEL)
def extend(
    job: option.JobId,
    seeds: Annotated[int, typer.Option(min=1, max=200, help="Number of runs to add.")],
    detach: option.Detach = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Add runs with new seeds to a job; its earlier runs are kept."""
    from cli.identifiers import resolve_job_id
    from cli.interrupts import await_job, format_command
    from cli.train import follow_or_detach

    with create_client(url) as client:
        job_id = resolve_job_id(client, job)
        shown = format_command(client, "show", job_id)
        extended = await_job(
            client,
            lambda: client.extend_job(job_id, seeds),
            unknown=f"Interrupted. See whether the job has the new runs:\n  {shown}",
        )
        raise typer.Exit(follow_or_detach(client, extended, as_json=False, detach=detach))


@app.command(rich_help_panel=JOBS_PANEL)
def clone(
    job: option.JobId,
    preset: option.NewPreset = None,
    model: option.NewModel = None,
    revision: option.NewRevision = None,
    seeds: option.NewSeedCount = None,
    suffix: option.NewSuffix = None,
    detach: option.Detach = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Create a job like an earlier one, with the changes given as options.

    --preset replaces the whole recipe of the earlier job, and --seeds replaces all its seeds.
    """
    from cli.identifiers import resolve_job_id, resolve_start_model
    from cli.interrupts import await_job, format_command
    from cli.job_request import TrainOptions, build_job_settings
    from cli.train import follow_or_detach

    with create_client(url) as client:
        job_id = resolve_job_id(client, job)
        start = None if model is None else resolve_start_model(client, model)
        changes = TrainOptions(
            preset=preset, model=start, model_revision=revision, seeds=seeds, suffix=suffix
        )
        listed = format_command(client, "jobs")
        created = await_job(
            client,
            lambda: client.clone_job(job_id, build_job_settings(changes)),
            unknown=f"Interrupted. See whether the new job exists:\n  {listed}",
        )
        raise typer.Exit(follow_or_detach(client, created, as_json=False, detach=detach))


@app.command(rich_help_panel=JOBS_PANEL)
def retry(
    job: option.JobId, detach: option.Detach = False, url: option.Url = option.DEFAULT_URL
) -> None:
    """Train a job's failed and cancelled runs again."""
    from cli.identifiers import resolve_job_id
    from cli.interrupts import await_job, format_command
    from cli.train import follow_or_detach, retry_runs

    with create_client(url) as client:
        job_id = resolve_job_id(client, job)
        shown = format_command(client, "show", job_id)
        retried = await_job(
            client,
            lambda: retry_runs(client, job_id),
            unknown=f"Interrupted. See which runs are queued again:\n  {shown}",
        )
        raise typer.Exit(follow_or_detach(client, retried, as_json=False, detach=detach))


@app.command(rich_help_panel=JOBS_PANEL)
def delete(
    jobs: option.JobIds,
    yes: option.Confirmed = False,
    url: option.Url = option.DEFAULT_URL,
) -> None:
    """Delete ended jobs with their runs, models and results; uploaded files are kept."""
    from cli.identifiers import resolve_job_ids

    with create_client(url) as client:
        job_ids = resolve_job_ids(client, jobs)
        if not yes:
            confirm_deletion(f"Delete {', '.join(job_ids)} with all models and results?")
        for job in job_ids:
            client.delete_job(job)
            print_text(f"{job}: deleted")


def _print_status(job: "Job", *, pending_text: str = "") -> None:
    """Print the job's status, or ``pending_text`` for a job that has not ended."""
    text = pending_text if pending_text and not job.has_ended else job.status.value
    print_text(f"{job.id}: {text}")
