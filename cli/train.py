"""``evenkeel train``, ``show`` and ``retry``: create or find a job, follow it, print its report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from cli.api_models import File, Job
from cli.client import Client
from cli.console import OutputConsole
from cli.errors import JOB_DID_NOT_SUCCEED, CliError, Interrupted, RequestRefused
from cli.file_findings import format_refused_files
from cli.follow import follow_jobs
from cli.identifiers import resolve_start_model
from cli.interrupts import await_job, format_command, format_continuing_job
from cli.job_request import TrainOptions, add_job_files, build_job_settings
from cli.option_names import name_options
from cli.previews import format_dry_run
from cli.progress import FollowedJob
from cli.tables import format_cautions, format_job, format_report, make_console
from cli.uploads import Uploads, upload_temporarily
from shared.domain.states import JobState, RunState


class JobFiles(NamedTuple):
    """Local data sets of a job."""

    training: Path
    validation: Path | None = None
    test: Path | None = None
    unlabelled: Path | None = None


def run_training(
    client: Client,
    files: JobFiles,
    options: TrainOptions,
    *,
    dry_run: bool,
    as_json: bool,
    detach: bool,
) -> int:
    """Upload the files, create the job, follow it and print its report; return the exit code."""
    settings = build_job_settings(options)
    if options.model is not None:
        settings["model"] = resolve_start_model(client, options.model)
    console = make_console(stderr=as_json)  # with --json, stdout is for the JSON alone
    if dry_run:
        _show_dry_run(client, files, settings, console, as_json=as_json)
        return 0
    job = _create_job(client, files, settings, console)
    return follow_or_detach(client, job, as_json=as_json, detach=detach)


def _create_job(
    client: Client, files: JobFiles, settings: Mapping[str, Any], console: Console
) -> Job:
    with upload_temporarily(client, console) as uploads:
        body = add_job_files(settings, *_upload_files(uploads, files))

        def request_job() -> Job:
            job = client.create_job(body)
            uploads.are_kept = True
            return job

        with _explain_refusal(uploads.files, console):
            return await_job(client, request_job, unknown="Interrupted before a job was created.")


def _show_dry_run(
    client: Client,
    files: JobFiles,
    settings: Mapping[str, Any],
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Print what the job would be, and delete the uploaded files again."""
    with upload_temporarily(client, console) as uploads:
        body = add_job_files(settings, *_upload_files(uploads, files))
        with _explain_refusal(uploads.files, console):
            planned = client.plan_job(body)
    if as_json:
        OutputConsole().print_value(planned.model_dump_json())
    else:
        make_console().print(format_dry_run(planned))


def follow_or_detach(client: Client, job: Job, *, as_json: bool, detach: bool) -> int:
    """Print the job and, unless detached, follow it to its report; return the exit code."""
    console = make_console(stderr=as_json)  # with --json, stdout is for the JSON alone
    console.print(format_job(job))
    console.print(format_cautions(job.warnings))
    if not detach:
        return _follow_and_report(client, job, console, as_json=as_json)
    if as_json:
        _print_json(client, job)
    command = format_command(client, "show", job.id, "--follow")
    console.print(escape(f"Follow it with:\n  {command}"), soft_wrap=True)
    return 0


def retry_runs(client: Client, job_id: str) -> Job:
    """Queue the job's failed and cancelled runs again; raise CliError if it has none."""
    retryable = {RunState.FAILED, RunState.CANCELLED}
    run_ids = [run.id for run in client.list_runs(job_id) if run.status in retryable]
    if not run_ids:
        raise CliError(f"Job {job_id} has no failed or cancelled run to retry.")
    for run_id in run_ids:
        client.retry_run(job_id, run_id)
    return client.get_job(job_id)


def show_job(client: Client, job_id: str, *, should_follow: bool, as_json: bool) -> int:
    """Print a job and its report, after following it if asked to; return the exit code."""
    job = client.get_job(job_id)
    if should_follow and not job.has_ended:
        return _follow_and_report(client, job, make_console(stderr=as_json), as_json=as_json)
    _print_report(client, job, make_console(), as_json=as_json)
    return get_exit_code(job)


def _upload_files(uploads: Uploads, files: JobFiles) -> list[str | None]:
    """Upload the given files; return the id of each."""
    return [None if path is None else uploads.add(path).id for path in files]


@contextmanager
def _explain_refusal(files: Sequence[File], console: Console) -> Iterator[None]:
    """Print the files' warnings if the service refuses the job, which would have them.

    The error names the options of the command line instead of the request's fields.
    """
    try:
        yield
    except CliError as error:
        if found := format_refused_files(files):
            console.print(found)
        if isinstance(error, RequestRefused):
            raise CliError(name_options(error.reason, error.param)) from error
        raise


def _follow_and_report(client: Client, job: Job, console: Console, *, as_json: bool) -> int:
    try:
        [job] = follow_jobs(client, [FollowedJob(job)], console)
    except KeyboardInterrupt:
        raise Interrupted(format_continuing_job(client, job.id)) from None
    _print_report(client, job, console, as_json=as_json)
    return get_exit_code(job)


def _print_report(client: Client, job: Job, console: Console, *, as_json: bool) -> None:
    if as_json:
        _print_json(client, job)
        return
    console.print()
    console.print(format_job(job))
    console.print()
    console.print(format_report(client.get_stability_report(job.id)))


def _print_json(client: Client, job: Job) -> None:
    answer = {
        "job": job.model_dump(mode="json"),
        "stability": client.get_stability_report(job.id).model_dump(mode="json"),
    }
    OutputConsole().print_value(json.dumps(answer))


def get_exit_code(job: Job) -> int:
    """Return the exit code of a command that waited for the job."""
    return JOB_DID_NOT_SUCCEED if job.status in {JobState.FAILED, JobState.CANCELLED} else 0
