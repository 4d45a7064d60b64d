"""Unpacking of a model's archive that came from a service, which may be anybody's."""

import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from cli.errors import CliError
from shared.encoders.archive.entries import (
    MAX_ENTRIES,
    MAX_RATIO,
    RATIO_FREE_BYTES,
    ZIP_ERRORS,
    ArchiveEntry,
    check_name,
    is_folder_name,
    is_plain_file,
    require_distinct_paths,
)
from shared.encoders.archive.errors import UnusableArchive

_CHUNK_BYTES: Final = 1024 * 1024


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack plain files and folders into a new folder; refuse a damaged archive, and all of an
    unsafe one.

    Raises CliError, and OSError for what cannot be written. The caller deletes what was unpacked
    before an error.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            entries = _list_entries(members.infolist(), archive.stat().st_size)
            folder.mkdir()
            for entry in entries:
                _unpack_entry(members, entry, folder / entry.path)
    except ZIP_ERRORS as error:
        raise CliError(f"The model's archive is damaged ({error}). Download it again.") from error


def _list_entries(infos: list[zipfile.ZipInfo], archive_bytes: int) -> list[ArchiveEntry]:
    """Return the entries of a safe archive. Raises CliError for any other."""
    if len(infos) > MAX_ENTRIES:
        raise CliError(
            f"The model's archive has {len(infos):,} entries, which no model has. Nothing was "
            "unpacked."
        )
    entries = [ArchiveEntry(info, _parse_name(info)) for info in infos]
    try:
        require_distinct_paths(entries)
    except UnusableArchive as error:
        clash = error.message.partition(". ")[0]
        raise CliError(
            f"The model's archive is ambiguous: {clash}. Nothing was unpacked."
        ) from None
    unpacked_bytes = sum(info.file_size for info in infos)
    if unpacked_bytes > max(RATIO_FREE_BYTES, MAX_RATIO * archive_bytes):
        raise CliError(
            f"The model's archive unpacks to {unpacked_bytes:,} bytes, more than {MAX_RATIO} times "
            "its size, which no model does. Nothing was unpacked."
        )
    return entries


def _parse_name(info: zipfile.ZipInfo) -> PurePosixPath:
    try:
        path = check_name(info)
    except UnusableArchive:
        path = None
    if path is None or not is_plain_file(info):
        raise CliError(
            f"The model's archive has an unsafe entry ({info.orig_filename[:100]!r}). Nothing was "
            "unpacked."
        )
    return path


def _unpack_entry(members: zipfile.ZipFile, entry: ArchiveEntry, target: Path) -> None:
    """Write one entry, at most as long as it announced. Raises BadZipFile for a longer one."""
    if is_folder_name(entry.info):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with members.open(entry.info) as source, target.open("xb") as stream:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > entry.info.file_size:
                raise zipfile.BadZipFile(f"{entry.path} is longer than announced")
            stream.write(chunk)
    if written != entry.info.file_size:
        raise zipfile.BadZipFile(f"{entry.path} is cut off")
