"""``evenkeel train`` and ``evenkeel show``: from a file to its report, with the way there in view."""

import json
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from cli.api_models import Job
from cli.client import Client
from cli.errors import INTERRUPTED, JOB_DID_NOT_SUCCEED
from cli.follow import Followed, follow
from cli.job_request import TrainOptions, job_body
from cli.previews import dry_run_view
from cli.tables import job_view, make_console, report_view
from shared.domain.states import JobState


class Files(NamedTuple):
    """What a job is made of, on this machine."""

    training: Path
    validation: Path | None = None
    test: Path | None = None


def train(
    client: Client, files: Files, options: TrainOptions, *, as_json: bool, detach: bool
) -> int:
    """Upload, create, follow, report; returns the exit code."""
    training, validation, test = (
        None if file is None else client.upload(file).id for file in files
    )
    job = client.create_job(job_body(options, str(training), validation, test))
    return begun(client, job, as_json=as_json, detach=detach)


def rehearse(client: Client, files: Files, options: TrainOptions, *, as_json: bool) -> None:
    """Say what the job would be; its files do not stay with the service either."""
    uploaded = [None if file is None else client.upload(file).id for file in files]
    training, validation, test = uploaded
    try:
        planned = client.dry_run(job_body(options, str(training), validation, test))
    finally:
        for file_id in filter(None, uploaded):
            client.delete_file(file_id)
    if as_json:
        Console().print_json(planned.model_dump_json())
    else:
        make_console().print(dry_run_view(planned))


def begun(client: Client, job: Job, *, as_json: bool, detach: bool) -> int:
    """Follow a job that was begun, unless told not to wait for it; returns the exit code."""
    talk = make_console(stderr=as_json)  # with --json, stdout is for the JSON alone
    talk.print(job_view(job))
    if not detach:
        return _follow_and_report(client, job, talk, as_json=as_json)
    if as_json:
        _print_json(client, job)
    talk.print(escape(f"Follow it with: evenkeel show {job.id} --follow"))
    return 0


def show(client: Client, job_id: str, *, follow_it: bool, as_json: bool) -> int:
    job = client.job(job_id)
    if follow_it and not job.ended:
        return _follow_and_report(client, job, make_console(stderr=as_json), as_json=as_json)
    _report(client, job, make_console(), as_json=as_json)
    return exit_code(job)


def _follow_and_report(client: Client, job: Job, talk: Console, *, as_json: bool) -> int:
    try:
        [job] = follow(client, [Followed(job)], talk)
    except KeyboardInterrupt:
        talk.print(
            f"\nThe job goes on. Follow it again: evenkeel show {job.id} --follow   Stop it: evenkeel cancel {job.id}"
        )
        return INTERRUPTED
    _report(client, job, talk, as_json=as_json)
    return exit_code(job)


def _report(client: Client, job: Job, talk: Console, *, as_json: bool) -> None:
    if as_json:
        _print_json(client, job)
        return
    talk.print()
    talk.print(job_view(job))
    talk.print()
    talk.print(report_view(client.stability(job.id)))


def _print_json(client: Client, job: Job) -> None:
    answer = {
        "job": job.model_dump(mode="json"),
        "stability": client.stability(job.id).model_dump(mode="json"),
    }
    Console().print_json(json.dumps(answer))


def exit_code(job: Job) -> int:
    """Of a command that waited for the job."""
    return JOB_DID_NOT_SUCCEED if job.status in {JobState.FAILED, JobState.CANCELLED} else 0
