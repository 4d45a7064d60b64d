"""``evenkeel download``: fetch a published model's archive, check it and unpack it.

It is unpacked next to the target folder and then renamed, so that no partial model is left.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from cli.api_models import File, Job, Model
from cli.client import Client
from cli.errors import CliError
from cli.output_files import name_in_errors
from cli.unpacking import unpack_archive

ARCHIVE_NAME = "model.zip"
_SPARE_BYTES: Final = 64 * 1024 * 1024
"""Disk space that stays free beside the archive and what it unpacks to."""


def download_model(client: Client, name: str, folder: Path) -> None:
    """Download a fine-tuned model into a folder that does not exist yet, or is empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CliError(f"{folder} already exists and is not empty. Choose another folder.")
    file = find_archive(client, name)
    with name_in_errors(folder):
        _download_archive(client, file, folder)


def _download_archive(client: Client, file: File, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    needed, free = 2 * file.bytes + _SPARE_BYTES, shutil.disk_usage(folder.parent).free
    if needed > free:
        raise CliError(
            f"The model needs {needed >> 20:,} MB of disk space, but {folder.parent} has only "
            f"{free >> 20:,} MB free. Free some space, or choose another folder."
        )
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        archive = Path(scratch) / ARCHIVE_NAME
        with client.stream_file_content(file.id) as chunks, archive.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
                if stream.tell() > file.bytes:
                    raise CliError(
                        f"The model's archive is longer than the {file.bytes:,} bytes that the "
                        "service announced. Nothing was unpacked."
                    )
        unpacked = Path(scratch) / "model"
        unpack_archive(archive, unpacked)
        if folder.exists():
            folder.rmdir()
        unpacked.rename(folder)


def find_archive(client: Client, name: str) -> File:
    """Return the file with the archive of a fine-tuned model.

    Raises CliError for a model without one: only a job's best run has an archive.
    """
    model = client.get_model(name)
    job_id = model.job_id
    if job_id is None:
        raise CliError(f"{name} is a base model; only fine-tuned models can be downloaded.")
    job = client.get_job(job_id)
    if not _is_best_model(client, model, job):  # the archive holds another run's weights
        raise CliError(
            f"{name} cannot be downloaded: the archive of job {job_id} holds "
            f"{job.fine_tuned_model or 'its best run'}. It can still classify texts."
        )
    for file_id in job.result_files:
        file = client.get_file(file_id)
        if file.filename.endswith(ARCHIVE_NAME):
            return file
    raise CliError(f"Job {job_id} has no model to download: it is {job.status.value}.")


def _is_best_model(client: Client, model: Model, job: Job) -> bool:
    """Return whether the job's archive holds the model, which may be named by its checkpoint."""
    if model.id == job.fine_tuned_model:
        return True
    return any(
        run.id == model.run_id and run.fine_tuned_model == job.fine_tuned_model
        for run in client.list_runs(job.id)
    )
