"""Checks of an archive's list of contents, before anything is unpacked.

A name is accepted only if it means the same file on every system: plain relative paths, no two of
which differ by case or by Unicode form alone.
"""

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from shared.encoders.archive.errors import ArchiveMalformed, ArchiveTooLarge, ArchiveUnsafe
from shared.encoders.archive.file_kinds import is_junk, require_model_data

MAX_ENTRIES = 500
MAX_DEPTH = 4
"""Folders around a file; a model has at most one, and one more around the whole."""
MAX_NAME_CHARS = 200
MAX_RATIO = 20
"""Unpacked bytes per byte of the archive; weights shrink to a third at best."""
RATIO_FREE_BYTES = 16 * 1024**2
"""Unpacked bytes up to which the ratio does not count: texts shrink to a tenth and less."""
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What ``zipfile`` raises for damaged archives, encrypted ones, and compressions that it does not
know (NotImplementedError).
"""
_ENCRYPTION_FLAGS = 0x1 | 0x40 | 0x2000
_UNIX_SYSTEM = 3
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SHOWN_CHARS = 80


@dataclass(frozen=True)
class ArchiveEntry:
    """A file to unpack."""

    info: zipfile.ZipInfo
    path: PurePosixPath
    """Path in the model's folder."""


def list_entries(
    infos: Sequence[zipfile.ZipInfo], archive_bytes: int, max_bytes: int
) -> list[ArchiveEntry]:
    """Return the files to unpack, without a folder around all of them.

    Raises ArchiveUnsafe, ArchiveTooLarge or ArchiveMalformed for the first entry that is not
    acceptable. ``max_bytes`` limits the unpacked bytes.
    """
    if len(infos) > MAX_ENTRIES:
        raise ArchiveTooLarge(
            f"The archive has {len(infos):,} entries, but at most {MAX_ENTRIES:,} are allowed. "
            "Pack only the files of one model."
        )
    entries = [ArchiveEntry(info, check_name(info)) for info in infos]
    entries = [entry for entry in entries if not is_junk(entry.path)]
    require_distinct_paths(entries)
    files = [entry for entry in entries if not is_folder_name(entry.info)]
    for entry in files:
        _check_file(entry)
    _check_unpacked_size(sum(entry.info.file_size for entry in files), archive_bytes, max_bytes)
    return _strip_common_folder(files)


def check_name(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return the path of an entry. Raises ArchiveUnsafe for one that another system may read as a
    different file, or that leads out of the archive.
    """
    # the raw name: zipfile cuts ``filename`` at a NUL character
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    is_plain = (
        0 < len(name) <= MAX_NAME_CHARS
        and len(parts) <= MAX_DEPTH
        and name.isprintable()
        and not set(name) & set('\\:*?"<>|')
        and all(part not in ("", ".", "..") and part == part.strip() for part in parts)
    )
    if not is_plain:
        raise ArchiveUnsafe(
            f"The archive has an entry {quote_name(name)}, which is no plain path below its "
            "folder. Pack the model's files under their own names."
        )
    return PurePosixPath(*parts)


def require_distinct_paths(entries: Sequence[ArchiveEntry]) -> None:
    """Raise ArchiveUnsafe if two entries are, or on some system would be, the same file."""
    kinds: dict[str, bool] = {}
    for entry in entries:
        key = _fold_path(entry.path)
        if key in kinds:
            raise ArchiveUnsafe(
                f"The archive has two entries {quote_name(str(entry.path))}, counting upper and "
                "lower case as equal. Leave one out."
            )
        kinds[key] = is_folder_name(entry.info)
    for entry in entries:
        for parent in entry.path.parents:
            if not kinds.get(_fold_path(parent), True):
                raise ArchiveUnsafe(
                    f"The archive has {quote_name(str(parent))} as a file and as a folder. Pack it "
                    "again."
                )


def _fold_path(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def is_folder_name(info: zipfile.ZipInfo) -> bool:
    return info.orig_filename.endswith("/")


def is_plain_file(info: zipfile.ZipInfo) -> bool:
    """Return whether an entry is a file or a folder, and no link or device."""
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
    return info.create_system != _UNIX_SYSTEM or kind in (
        0,
        stat.S_IFDIR if is_folder_name(info) else stat.S_IFREG,
    )


def _check_file(entry: ArchiveEntry) -> None:
    info, shown = entry.info, quote_name(str(entry.path))
    if not is_plain_file(info):
        raise ArchiveUnsafe(
            f"The archive has {shown} as a link or a special file. Pack the file that it stands "
            "for."
        )
    require_model_data(entry.path, shown)
    if info.flag_bits & _ENCRYPTION_FLAGS:
        raise ArchiveMalformed(f"{shown} in the archive is encrypted. Pack it without a password.")
    if info.compress_type not in _COMPRESSIONS:
        raise ArchiveMalformed(
            f"{shown} in the archive is compressed by a rare method. Pack it as an ordinary zip "
            "file (stored or deflated)."
        )


def _check_unpacked_size(unpacked_bytes: int, archive_bytes: int, max_bytes: int) -> None:
    if unpacked_bytes > max_bytes:
        raise ArchiveTooLarge(
            f"The archive unpacks to {unpacked_bytes:,} bytes, but at most {max_bytes:,} are "
            "allowed (EVENKEEL_MAX_MODEL_BYTES)."
        )
    if unpacked_bytes > RATIO_FREE_BYTES and unpacked_bytes > MAX_RATIO * archive_bytes:
        raise ArchiveTooLarge(
            f"The archive unpacks to more than {MAX_RATIO} times its size, which no model does."
        )


def _strip_common_folder(files: Sequence[ArchiveEntry]) -> list[ArchiveEntry]:
    """Remove the folder that all files lie in, if there is one."""
    first = {entry.path.parts[0] for entry in files}
    if len(first) != 1 or any(len(entry.path.parts) == 1 for entry in files):
        return list(files)
    return _strip_common_folder(
        [ArchiveEntry(entry.info, PurePosixPath(*entry.path.parts[1:])) for entry in files]
    )


def quote_name(name: str) -> str:
    """Quote a name of the archive, shortened and without characters that move the cursor."""
    return repr(name if len(name) <= _SHOWN_CHARS else f"{name[:_SHOWN_CHARS]}…")
