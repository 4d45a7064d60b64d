"""By what a folder of a base model is known to be the one that was read before."""

from pathlib import Path

FolderFingerprint = tuple[tuple[str, int, int], ...]
"""Name, size in bytes and time of the last change in nanoseconds, of each file."""


def compute_folder_fingerprint(folder: Path) -> FolderFingerprint:
    """Of the files themselves, where they are links; empty where there is no such folder."""
    if not folder.is_dir():
        return ()
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, (found := path.stat()).st_size, found.st_mtime_ns) for path in files)
