"""Failures of the storage and of full disks, told apart by their causes."""

import errno
from pathlib import Path

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError
from sqlalchemy.exc import DBAPIError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "database or disk is full")


class BlobMissing(Exception):
    """The storage has no such key."""


class StorageUnavailable(OSError):
    """The storage does not do what it is asked to; a later attempt may succeed."""


class StorageFull(StorageUnavailable):
    """The disk of the storage has no room."""


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether the error, or one that it came from, is a full disk or quota."""
    while error is not None:
        if isinstance(error, StorageFull):
            return True
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        if any(sign in text for sign in _FULL_TEXTS):
            return True
        error = error.__cause__
    return False


def describe_failure(error: Exception) -> StorageUnavailable:
    """Translate an error of the storage into one whose message is for users."""
    if is_disk_full(error):
        return StorageFull("The disk of the storage is full.")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return StorageUnavailable("The storage refuses access; the operator must check its rights.")
    return StorageUnavailable("The storage does not respond.")


def describe_missing_folder(folder: Path) -> StorageUnavailable:
    return StorageUnavailable(f"The folder of the storage, {folder.name}, is not there.")
