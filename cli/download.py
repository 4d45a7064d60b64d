"""Fetching a published model: the archive is checked, then unpacked beside its place and moved
there whole.
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
    """``name``: a fine-tuned model, or the job that made it. ``folder`` must not exist yet, or
    be empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CliError(f"{folder} is there already and not empty; choose another folder.")
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
    """Id of the file with the model of a job, named by the model's id or the job's. Raises
    CliError for another of the job's models.
    """
    job_id = name if name.startswith("ftjob-") else client.get_model(name).job_id
    if job_id is None:
        raise CliError(f"{name} is a base model; only fine-tuned models can be downloaded.")
    job = client.get_job(job_id)
    if name not in (
        job_id,
        job.fine_tuned_model,
    ):  # the archive holds other weights than those of that name
        raise CliError(
            f"{name} is kept to be asked, not packed: the archive of job {job_id} holds "
            f"{job.fine_tuned_model or 'its best run'}."
        )
    for file_id in job.result_files:
        if client.get_file(file_id).filename.endswith(ARCHIVE_NAME):
            return file_id
    raise CliError(f"Job {job_id} has no model to download: it is {job.status.value}.")


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack plain files and folders; an archive that would write elsewhere, or holds links, is
    refused whole.
    """
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
        raise CliError(f"The model's archive is damaged ({error}); download it again.") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was not made on Unix
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in member.filename
        or kind not in {0, stat.S_IFREG, stat.S_IFDIR}
    ):
        raise CliError(
            f"The model's archive holds an entry that is refused ({member.filename!r}); "
            "nothing was unpacked."
        )
