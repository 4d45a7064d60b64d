"""Entries of a model folder: only plain files, and no link that leads out of the model directory.

Everything below the folder is checked, because libraries decide which of its files they read.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.encoders.validation.errors import UnfitModel

MAX_ENTRIES = 2_000
"""Most files and folders below a model's folder; published models have fewer than a hundred."""
_POINTER_START = b"version https://git-lfs.github.com/spec/"
_MAX_POINTER_BYTES = 1024
_READ_SUFFIXES = (".json", ".safetensors", ".txt", ".model")
"""Of the files that a model is read from; a pickle is not opened even for this."""


def check_entries(folder: Path, root: Path) -> None:
    """Check every entry below ``folder``. Links may lead anywhere below ``root``.

    Raises UnfitModel for links that lead elsewhere or nowhere, devices, pipes and sockets, and
    OSError.
    """
    root = root.resolve()
    if not folder.resolve().is_relative_to(root):
        raise UnfitModel(
            "is a link that leads out of the model directory. Copy the folder itself into the "
            "model directory."
        )
    for count, entry in enumerate(_iterate_entries(folder), start=1):
        if count > MAX_ENTRIES:
            raise UnfitModel(
                f"has more than {MAX_ENTRIES:,} files. Keep only the files of the model."
            )
        _check_entry(entry, entry.relative_to(folder).as_posix(), root)


def refuse_pointers(folder: Path, names: Iterable[str]) -> None:
    """Raise UnfitModel for a file in whose place a clone without Git LFS has left a pointer."""
    for name in names:
        file = folder / name
        if not name.endswith(_READ_SUFFIXES) or file.stat().st_size > _MAX_POINTER_BYTES:
            continue
        if file.read_bytes().startswith(_POINTER_START):
            raise UnfitModel(
                f"has a Git LFS pointer in the place of {name}. Run git lfs pull in its folder, or "
                "download the file itself."
            )


def _iterate_entries(folder: Path) -> Iterator[Path]:
    """Iterate over everything below the folder, without following links to folders."""
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


def _check_entry(entry: Path, name: str, root: Path) -> None:
    if entry.is_symlink():
        _check_link(entry, name, root)
    mode = entry.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UnfitModel(
            f"contains {name}, which is a pipe, socket or device. Replace it by a plain file."
        )


def _check_link(entry: Path, name: str, root: Path) -> None:
    try:
        target = entry.resolve(strict=True)
    except (FileNotFoundError, RuntimeError):  # a target that is missing, or a loop
        raise UnfitModel(f"contains the broken link {name}. Copy the file itself.") from None
    if not target.is_relative_to(root):
        raise UnfitModel(
            f"contains {name}, a link that leads out of the model directory. Copy the file itself."
        )
