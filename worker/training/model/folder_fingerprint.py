"""Fingerprints that show whether a base model's folder changed since it was read."""

from pathlib import Path

FolderFingerprint = tuple[tuple[str, int, int], ...]
"""Name, size in bytes and modification time in nanoseconds of each file."""


def compute_folder_fingerprint(folder: Path) -> FolderFingerprint:
    """Return the folder's fingerprint, following links; empty if the folder does not exist."""
    if not folder.is_dir():
        return ()
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, (found := path.stat()).st_size, found.st_mtime_ns) for path in files)
