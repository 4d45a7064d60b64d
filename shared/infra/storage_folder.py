"""The folder of a storage on local disk: recognized by a marker, so that the empty folder under the
mount point of a disk that is away is not taken for it.
"""

import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from shared.infra.storage_errors import StorageUnavailable, describe_missing_folder
from shared.infra.storage_keys import StorageRoot

MARKER_NAME = ".evenkeel-storage"


class StorageFolder:
    """A folder that is made and marked when it is first used, unless the database says that the
    storage has been in use: then it is a disk that is not mounted.
    """

    def __init__(self, path: Path, knows_blobs: Callable[[], bool] | None) -> None:
        """``knows_blobs`` says whether rows name blobs; without it the folder is made at once."""
        self.path = path
        self._knows_blobs = knows_blobs
        self._marker = path / MARKER_NAME
        self._was_marked = False
        if knows_blobs is None:
            self._mark()

    def require(self) -> None:
        """Raise StorageUnavailable unless this is the storage's folder."""
        if self._marker.exists():
            self._was_marked = True
            return
        if self._was_marked:
            raise describe_missing_folder(self.path)
        if self._knows_blobs is not None and not self._has_blobs() and self._knows_blobs():
            raise StorageUnavailable(
                f"The folder of the storage, {self.path.name}, is empty, but the database has "
                "files in it. The operator must mount its disk or restore its copy."
            )
        self._mark()

    def _has_blobs(self) -> bool:
        """Return whether this is the storage of a version that did not mark it."""
        return any((self.path / root).is_dir() for root in StorageRoot)

    def _mark(self) -> None:
        """Make and mark the folder; one that cannot be written is used without a marker."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._marker.touch()
        except OSError:
            self._was_marked = self._marker.exists()
        else:
            self._was_marked = True


def try_hardlink(path: Path, target: Path) -> bool:
    """Hard-link the file atomically; False if the disks differ or do not support links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.hardlink_to(path)
        partial.replace(target)
    except OSError:
        return False
    finally:
        partial.unlink(
            missing_ok=True
        )  # replacing a name by another name of the same file does nothing
    target.chmod(
        stat.S_IMODE(target.parent.stat().st_mode) & 0o666
    )  # whoever may enter the folder may read its content
    return True


def try_plain_link(path: Path, target: Path) -> bool:
    """Hard-link a stored file to a new name, with its rights; False if that cannot be done."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:
        return False
    return True
