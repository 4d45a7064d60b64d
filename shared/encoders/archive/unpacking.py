"""Unpacking of a checkpoint's archive within bounds.

The bounds hold whatever the archive's headers say: a file is written until its announced size is
reached, and its checksum is verified. Python's own ``zipfile`` reads the format; its
``extractall`` is not used, because it follows the archive's names and has no bounds.
"""

import shutil
import zipfile
from pathlib import Path

from shared.domain.errors import ServiceUnavailable, UnsupportedMediaType
from shared.encoders.archive.entries import ZIP_ERRORS, ArchiveEntry, list_entries, quote_name
from shared.encoders.archive.errors import ArchivedModelUnusable, ArchiveMalformed

_CHUNK_BYTES = 1024 * 1024
_FIRST_BYTES = b"PK\x03\x04"
_SPARE_BYTES = 64 * 1024 * 1024
"""Disk space that stays free beside the unpacked files."""


def unpack_archive(archive: Path, folder: Path, max_bytes: int) -> int:
    """Unpack a zip file into a new folder; return the number of bytes written.

    Raises UnsupportedMediaType for a file that is not a zip file, a subclass of UnusableArchive,
    and ServiceUnavailable without enough disk space. The caller deletes the folder after an error.
    """
    with archive.open("rb") as source:
        if source.read(len(_FIRST_BYTES)) != _FIRST_BYTES:
            raise UnsupportedMediaType(
                "A model is uploaded as a zip file, but this file is not one. Pack the model's "
                "folder as a zip file.",
                param="file",
            )
    try:
        opened = zipfile.ZipFile(archive)
    except ZIP_ERRORS:
        raise ArchiveMalformed(
            "The archive is truncated or damaged. Pack and upload it again."
        ) from None
    with opened:
        entries = list_entries(opened.infolist(), archive.stat().st_size, max_bytes)
        if not entries:
            raise ArchivedModelUnusable(
                "The archive has no files. Pack the files of a model's folder."
            )
        _require_disk_space(folder.parent, entries)
        for entry in entries:
            _unpack_entry(opened, entry, folder)
    return sum(entry.info.file_size for entry in entries)


def _require_disk_space(folder: Path, entries: list[ArchiveEntry]) -> None:
    needed = sum(entry.info.file_size for entry in entries) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ServiceUnavailable(
            f"The unpacked model needs {needed >> 20:,} MB of disk space, but the service has only "
            f"{free >> 20:,} MB free. Free space in its cache folder, then upload it again."
        )


def _unpack_entry(archive: zipfile.ZipFile, entry: ArchiveEntry, folder: Path) -> None:
    """Write one file. Raises ArchiveMalformed if it is damaged or longer than announced."""
    target = folder / entry.path
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with archive.open(entry.info) as source, target.open("xb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > entry.info.file_size:
                    break
                file.write(chunk)
    except ZIP_ERRORS:
        written = -1
    if written != entry.info.file_size:
        raise ArchiveMalformed(
            f"{quote_name(str(entry.path))} in the archive is damaged. Pack and upload it again."
        )
