"""``evenkeel train``, ``show`` and ``retry``: create or find a job, follow it, print its report."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from cli.api_models import File, Job
from cli.client import Client
from cli.errors import INTERRUPTED, JOB_DID_NOT_SUCCEED, CliError
from cli.file_findings import format_refused_files, format_upload
from cli.follow import FollowedJob, follow_jobs
from cli.job_request import TrainOptions, build_job_request
from cli.previews import format_dry_run
from cli.tables import format_job, format_report, make_console
from shared.domain.states import JobState, RunState


class JobFiles(NamedTuple):
    """Local data sets of a job."""

    training: Path
    validation: Path | None = None
    test: Path | None = None


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
    if dry_run:
        show_dry_run(client, files, options, as_json=as_json)
        return 0
    console = make_console(stderr=as_json)  # with --json, stdout is for the JSON alone
    uploaded = _upload_files(client, files, console)
    with _show_findings_of_refused_job(uploaded, console):
        job = client.create_job(_build_request(options, uploaded))
    return follow_or_detach(client, job, as_json=as_json, detach=detach)


def show_dry_run(client: Client, files: JobFiles, options: TrainOptions, *, as_json: bool) -> None:
    """Print what the job would be, and delete the uploaded files again."""
    console = make_console(stderr=as_json)
    uploaded = _upload_files(client, files, console)
    try:
        with _show_findings_of_refused_job(uploaded, console):
            planned = client.plan_job(_build_request(options, uploaded))
    finally:
        for file in filter(None, uploaded):
            client.delete_file(file.id)
    if as_json:
        Console().print_json(planned.model_dump_json())
    else:
        make_console().print(format_dry_run(planned))


def follow_or_detach(client: Client, job: Job, *, as_json: bool, detach: bool) -> int:
    """Print the job and, unless detached, follow it to its report; return the exit code."""
    console = make_console(stderr=as_json)  # with --json, stdout is for the JSON alone
    console.print(format_job(job))
    if not detach:
        return _follow_and_report(client, job, console, as_json=as_json)
    if as_json:
        _print_json(client, job)
    console.print(escape(f"Follow it with: evenkeel show {job.id} --follow"))
    return 0


def retry_runs(client: Client, job_id: str) -> None:
    """Queue the job's failed and cancelled runs again; raise CliError if it has none."""
    retryable = {RunState.FAILED, RunState.CANCELLED}
    run_ids = [run.id for run in client.list_runs(job_id) if run.status in retryable]
    if not run_ids:
        raise CliError(f"Job {job_id} has no failed or cancelled run to retry.")
    for run_id in run_ids:
        client.retry_run(job_id, run_id)


def show_job(client: Client, job_id: str, *, should_follow: bool, as_json: bool) -> int:
    """Print a job and its report, after following it if asked to; return the exit code."""
    job = client.get_job(job_id)
    if should_follow and not job.has_ended:
        return _follow_and_report(client, job, make_console(stderr=as_json), as_json=as_json)
    _print_report(client, job, make_console(), as_json=as_json)
    return get_exit_code(job)


def _upload_files(client: Client, files: JobFiles, console: Console) -> list[File | None]:
    """Upload the given files, and print what the service found in them."""
    uploaded = [None if file is None else client.upload_file(file) for file in files]
    for file in filter(None, uploaded):
        console.print(format_upload(file))
    return uploaded


def _build_request(options: TrainOptions, uploaded: Sequence[File | None]) -> dict[str, Any]:
    training, validation, test = (None if file is None else file.id for file in uploaded)
    return build_job_request(options, str(training), validation, test)


@contextmanager
def _show_findings_of_refused_job(
    uploaded: Sequence[File | None], console: Console
) -> Iterator[None]:
    """Print the files' warnings if the service refuses the job, which would have them."""
    try:
        yield
    except CliError:
        if found := format_refused_files(filter(None, uploaded)):
            console.print(found)
        raise


def _follow_and_report(client: Client, job: Job, console: Console, *, as_json: bool) -> int:
    try:
        [job] = follow_jobs(client, [FollowedJob(job)], console)
    except KeyboardInterrupt:
        console.print(
            f"\nThe job continues. To follow it: evenkeel show {job.id} --follow   "
            f"To stop it: evenkeel cancel {job.id}"
        )
        return INTERRUPTED
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
    Console().print_json(json.dumps(answer))


def get_exit_code(job: Job) -> int:
    """Return the exit code of a command that waited for the job."""
    return JOB_DID_NOT_SUCCEED if job.status in {JobState.FAILED, JobState.CANCELLED} else 0
