"""``evenkeel download``: fetch a published model's archive, check it and unpack it.

It is unpacked next to the target folder and then renamed, so that no partial model is left.
"""

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from cli.client import Client
from cli.errors import CliError

ARCHIVE_NAME = "model.zip"


def download_model(client: Client, name: str, folder: Path) -> None:
    """Download a model into a folder that does not exist yet, or is empty.

    ``name`` is the id of a fine-tuned model or of the job that trained it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CliError(f"{folder} already exists and is not empty. Choose another folder.")
    archive_id = find_archive(client, name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        archive = Path(scratch) / ARCHIVE_NAME
        with client.stream_file_content(archive_id) as chunks, archive.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
        unpacked = Path(scratch) / "model"
        unpack_archive(archive, unpacked)
        if folder.exists():
            folder.rmdir()
        unpacked.rename(folder)


def find_archive(client: Client, name: str) -> str:
    """Return the id of the file with the model's archive.

    Raises CliError for a model without one: only a job's best run has an archive.
    """
    job_id = name if name.startswith("ftjob-") else client.get_model(name).job_id
    if job_id is None:
        raise CliError(f"{name} is a base model; only fine-tuned models can be downloaded.")
    job = client.get_job(job_id)
    if name not in (job_id, job.fine_tuned_model):  # the archive holds another run's weights
        raise CliError(
            f"{name} cannot be downloaded: the archive of job {job_id} holds "
            f"{job.fine_tuned_model or 'its best run'}. It can still classify texts."
        )
    for file_id in job.result_files:
        if client.get_file(file_id).filename.endswith(ARCHIVE_NAME):
            return file_id
    raise CliError(f"Job {job_id} has no model to download: it is {job.status.value}.")


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack plain files and folders; refuse a damaged archive, and all of an unsafe one."""
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                _check_member(member)
            for member in members.infolist():
                target = folder / member.filename
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with members.open(member) as source, target.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
    except zipfile.BadZipFile as error:
        raise CliError(f"The model's archive is damaged ({error}). Download it again.") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    """Raise CliError for a link, or for a path outside the target folder."""
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was not made on Unix
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in member.filename
        or kind not in {0, stat.S_IFREG, stat.S_IFDIR}
    ):
        raise CliError(
            f"The model's archive has an unsafe entry ({member.filename!r}). Nothing was unpacked."
        )
