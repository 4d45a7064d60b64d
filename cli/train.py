"""``evenkeel train`` and ``evenkeel show``: from a file to its report, with the way there in
view.
"""

import json
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from cli.api_models import Job
from cli.client import Client
from cli.errors import INTERRUPTED, JOB_DID_NOT_SUCCEED
from cli.follow import FollowedJob, follow_jobs
from cli.job_request import TrainOptions, build_job_request
from cli.previews import format_dry_run
from cli.tables import format_job, format_report, make_console
from shared.domain.states import JobState


class JobFiles(NamedTuple):
    """What a job is made of, on this machine."""

    training: Path
    validation: Path | None = None
    test: Path | None = None


def train(
    client: Client, files: JobFiles, options: TrainOptions, *, as_json: bool, detach: bool
) -> int:
    """Upload, create, follow, report; returns the exit code."""
    training, validation, test = (
        None if file is None else client.upload_file(file).id for file in files
    )
    job = client.create_job(build_job_request(options, str(training), validation, test))
    return follow_or_detach(client, job, as_json=as_json, detach=detach)


def show_dry_run(client: Client, files: JobFiles, options: TrainOptions, *, as_json: bool) -> None:
    """Say what the job would be; its files do not stay with the service either."""
    uploaded = [None if file is None else client.upload_file(file).id for file in files]
    training, validation, test = uploaded
    try:
        planned = client.plan_job(build_job_request(options, str(training), validation, test))
    finally:
        for file_id in filter(None, uploaded):
            client.delete_file(file_id)
    if as_json:
        Console().print_json(planned.model_dump_json())
    else:
        make_console().print(format_dry_run(planned))


def follow_or_detach(client: Client, job: Job, *, as_json: bool, detach: bool) -> int:
    """Follow a job that was begun, unless told not to wait for it; returns the exit code."""
    talk = make_console(stderr=as_json)  # with --json, stdout is for the JSON alone
    talk.print(format_job(job))
    if not detach:
        return _follow_and_report(client, job, talk, as_json=as_json)
    if as_json:
        _print_json(client, job)
    talk.print(escape(f"Follow it with: evenkeel show {job.id} --follow"))
    return 0


def show_job(client: Client, job_id: str, *, should_follow: bool, as_json: bool) -> int:
    job = client.get_job(job_id)
    if should_follow and not job.has_ended:
        return _follow_and_report(client, job, make_console(stderr=as_json), as_json=as_json)
    _print_report(client, job, make_console(), as_json=as_json)
    return get_exit_code(job)


def _follow_and_report(client: Client, job: Job, console: Console, *, as_json: bool) -> int:
    try:
        [job] = follow_jobs(client, [FollowedJob(job)], console)
    except KeyboardInterrupt:
        console.print(
            f"\nThe job goes on. Follow it again: evenkeel show {job.id} --follow   Stop "
            f"it: evenkeel cancel {job.id}"
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
    """Of a command that waited for the job."""
    return JOB_DID_NOT_SUCCEED if job.status in {JobState.FAILED, JobState.CANCELLED} else 0
