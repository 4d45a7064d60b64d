"""Reasons to refuse the archive of an uploaded checkpoint; the subclasses are the stable codes.

Messages quote a file name of the archive at most, shortened.
"""

from shared.domain.errors import ServiceError


class UnusableArchive(ServiceError):
    """The archive is not one of a model that can be used: 422, and the upload is not kept."""

    status = 422

    def __init__(self, message: str, *, param: str | None = "file") -> None:
        super().__init__(message, param=param)


class ArchiveMalformed(UnusableArchive):
    """An archive of a model that is truncated, damaged, encrypted or compressed in a rare way."""


class ArchiveUnsafe(UnusableArchive):
    """An archive of a model with a path out of it, a link, an ambiguous name, a pickle or code."""


class ArchiveTooLarge(UnusableArchive):
    """An archive of a model with too many files, or one that unpacks to more than the limit."""


class ArchivedModelUnusable(UnusableArchive):
    """An archive whose files are not an encoder that jobs can start from."""
