"""Errors of limits: too many requests at a time or per second, and what one owner may have.

The first paragraph of each docstring appears in the OpenAPI document.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

from shared.domain.error_base import ServiceError

_NO_RETRY: dict[str, str] = {"x-should-retry": "false"}
"""For the official client, which would send the request twice more."""


class RetryLater(ServiceError):
    """Base of errors that end by themselves, after a known or an estimated time."""

    status = 429
    headers: ClassVar[dict[str, str]] = {"retry-after": "1"}

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float = 1.0,
        extra_headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, param=param)
        self.response_headers |= {
            "retry-after": str(max(1, math.ceil(retry_after_s))),
            **(extra_headers or {}),
        }


class ServiceBusy(RetryLater):
    """The limit of concurrent requests of this kind is reached."""


class TooManyWrongKeys(RetryLater):
    """Too many requests with a wrong API key came from the address of the client."""


class RequestRateLimit(RetryLater):
    """The owner of the key sends more requests per second than the limit."""


class TooManyStreams(ServiceError):
    """The limit of open event streams is reached."""

    status = 429
    headers: ClassVar[dict[str, str]] = {"retry-after": "10"}


class OwnerStreamsLimit(ServiceError):
    """The owner of the key has as many open event streams as the limit."""

    status = 429
    headers: ClassVar[dict[str, str]] = {"retry-after": "10"}


class StoredBytesLimit(ServiceError):
    """The files of the owner would have more bytes than the limit."""

    status = 429
    headers: ClassVar[dict[str, str]] = _NO_RETRY


class FilesLimit(ServiceError):
    """The owner has as many files as the limit."""

    status = 429
    headers: ClassVar[dict[str, str]] = _NO_RETRY


class OpenJobsLimit(ServiceError):
    """The owner has as many jobs that have not ended as the limit."""

    status = 429
    headers: ClassVar[dict[str, str]] = _NO_RETRY


class QueuedRunsLimit(ServiceError):
    """The owner would have more waiting and paused runs than the limit."""

    status = 429
    headers: ClassVar[dict[str, str]] = _NO_RETRY


class JobRunsLimit(ServiceError):
    """The job would have more runs than the limit."""

    status = 400


FILE_LIMITS: tuple[type[ServiceError], ...] = (StoredBytesLimit, FilesLimit)
"""What an operation that stores a file may raise."""
JOB_LIMITS: tuple[type[ServiceError], ...] = (OpenJobsLimit, QueuedRunsLimit, JobRunsLimit)
"""What an operation that adds runs may raise."""
