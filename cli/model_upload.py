"""``evenkeel models upload``: pack a model's folder and send it in parts."""

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from rich.console import Console

from cli.client import Client
from cli.console import print_text
from cli.errors import CliError, RequestRefused
from shared.domain.wording import format_size
from shared.encoders.archive.file_kinds import is_junk, is_model_data
from shared.encoders.uploaded import ARCHIVE_SUFFIX, MODEL_PURPOSE, build_model_filename

PART_BYTES: Final = 16 * 1024**2
_LEFT_OUT_SHOWN: Final = 5


def upload_model(client: Client, console: Console, path: Path, name: str | None) -> None:
    """Upload a folder or a zip file, and print the model's name and ID on the standard output.

    Raises CliError for a path that is neither, and for a model that the service refuses.
    """
    model_name = name or path.resolve().name.removesuffix(ARCHIVE_SUFFIX)
    with tempfile.TemporaryDirectory() as scratch:
        archive = _find_archive(path, Path(scratch), console)
        size = archive.stat().st_size
        title = f"Uploading {model_name}: {format_size(size)}"
        try:
            file = client.upload_parts(
                build_model_filename(model_name),
                MODEL_PURPOSE,
                size,
                _read_parts(archive, lambda: console.print(title, markup=False)),
            )
        except RequestRefused as error:  # without the field, which no user of this command sees
            raise CliError(error.reason) from error
    console.print(file.status_details or "", markup=False)
    console.print(f"Start jobs from it with --model {model_name}", markup=False, soft_wrap=True)
    print_text(file.id)


def _find_archive(path: Path, scratch: Path, console: Console) -> Path:
    """Return the zip file to send, made of a folder if need be."""
    if path.is_dir():
        archive = scratch / "model.zip"
        _pack_folder(path, archive, console)
        return archive
    if not path.is_file():
        raise CliError(f"{path} is neither a folder nor a file.")
    if not zipfile.is_zipfile(path):
        raise CliError(f"{path} is not a zip file. Give the folder of the model, or a zip file.")
    return path


def _pack_folder(folder: Path, archive: Path, console: Console) -> None:
    """Pack the files of a folder that may be part of a model, and print which are left out.

    Links are followed, because the hub's cache consists of them. Weights are not compressed: they
    do not shrink.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = {file: file.relative_to(folder).as_posix() for file in files}
    sent = [file for file in files if _is_sent(PurePosixPath(names[file]))]
    if folder / "config.json" not in sent:
        raise CliError(f"{folder} is not the folder of a model: it has no config.json.")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as target:
        for file in sent:
            is_weights = file.suffix == ".safetensors"
            method = zipfile.ZIP_STORED if is_weights else zipfile.ZIP_DEFLATED
            target.write(file, names[file], compress_type=method)
    left_out = [names[file] for file in files if file not in set(sent)]
    if left_out:
        more = "" if len(left_out) <= _LEFT_OUT_SHOWN else f" and {len(left_out):,} files in all"
        shown = ", ".join(left_out[:_LEFT_OUT_SHOWN])
        console.print(f"Left out: {shown}{more}", markup=False, soft_wrap=True)


def _is_sent(path: PurePosixPath) -> bool:
    is_hidden = any(part.startswith(".") for part in path.parts)
    return is_model_data(path) and not is_junk(path) and not is_hidden


def _read_parts(archive: Path, on_start: Callable[[], None]) -> Iterator[bytes]:
    """Read the parts; ``on_start`` is called once the service has accepted the upload."""
    on_start()
    with archive.open("rb") as stream:
        while part := stream.read(PART_BYTES):
            yield part
