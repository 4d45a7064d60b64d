"""Errors that are reported to a caller: each class has an HTTP status and a stable code.

Those of limits are in ``limit_errors``.

The first paragraph of each docstring appears in the OpenAPI document.
"""

from typing import ClassVar

from shared.domain.error_base import ErrorBody as ErrorBody
from shared.domain.error_base import Reason as Reason
from shared.domain.error_base import ServiceError as ServiceError


class InvalidRequest(ServiceError):
    """The request is malformed: invalid JSON, an unknown or missing field, a value out of range."""

    status = 400


class InvalidValue(ServiceError):
    """The value is valid by itself but does not fit the data, the model or another field."""

    status = 400


class NotAuthenticated(ServiceError):
    """The API key is missing or wrong."""

    status = 401
    headers: ClassVar[dict[str, str]] = {"www-authenticate": "Bearer"}


class MissingScope(ServiceError):
    """The API key does not have the scope that the request needs."""

    status = 403


class CrossSiteRequest(ServiceError):
    """A web page of another site sent the request through a browser."""

    status = 403


class FileNotFound(ServiceError):
    """The file does not exist, or its content was deleted."""

    status = 404


class UploadNotFound(ServiceError):
    """The upload does not exist."""

    status = 404


class JobNotFound(ServiceError):
    """The job does not exist."""

    status = 404


class RunNotFound(ServiceError):
    """The job has no run with this ID."""

    status = 404


class ModelNotFound(ServiceError):
    """The model does not exist."""

    status = 404


class RecipeNotFound(ServiceError):
    """No preset has this name."""

    status = 404


class ComparisonNotFound(ServiceError):
    """The comparison does not exist."""

    status = 404


class JobAlreadyEnded(ServiceError):
    """The job has ended or is being cancelled, so it cannot be cancelled, paused or resumed."""

    status = 400


class JobNotEnded(ServiceError):
    """The job has not ended yet; cancel it or wait until it has ended."""

    status = 400


class RunAlreadyEnded(ServiceError):
    """The run has ended, so it cannot be cancelled."""

    status = 400


class RunNotRetryable(ServiceError):
    """Only a failed or cancelled run can be retried, and only if it is not a pilot."""

    status = 400


class JobNotExtendable(ServiceError):
    """No run can be added: the job was cancelled, or it discards runs early."""

    status = 400


class FileInUse(ServiceError):
    """A job that has not ended needs the file."""

    status = 400


class UploadNotPending(ServiceError):
    """The upload was completed or cancelled, or it has expired."""

    status = 400


class ModelInUse(ServiceError):
    """The model is a base model of the installation, or an open job starts from it."""

    status = 400


class ModelNotServed(ServiceError):
    """The model has no ONNX graph that can be run, or its weights are missing."""

    status = 400


class NoEnsemble(ServiceError):
    """The model's job has fewer than two models for an ensemble."""

    status = 400


class RequestTimeout(ServiceError):
    """The request came too slowly: its head within 10 seconds, its body at 1 kB per second."""

    status = 408


class RequestHeadTooLarge(ServiceError):
    """URL and header fields exceed 64 kB, or there are more than 100 header fields."""

    status = 431


class HostNotAllowed(ServiceError):
    """The service does not answer under the name in the request's `Host` header."""

    status = 421


class PayloadTooLarge(ServiceError):
    """The request, or the file in it, exceeds the size limit."""

    status = 413


class UnsupportedMediaType(ServiceError):
    """The uploaded data set is not a table but, for example, an archive, a program or a pickle; or
    the uploaded model is not a zip file.
    """

    status = 415


class ModelNotAllowed(ServiceError):
    """The installation has no usable base model of this name."""

    status = 400
    has_no_room: bool = False
    """Whether only the disk is too full now: to a job that was accepted, an outage."""


class BaseModelChanged(ServiceError):
    """The base model is not the one that the job was created with."""

    status = 400

    def __init__(self, model: str, job_id: str | None = None) -> None:
        job = "the job" if job_id is None else f"job {job_id}"
        super().__init__(
            f"The files of the base model {model} are not those that {job} was created with. "
            "Restore them and retry, or create a new job.",
            param="model",
        )


class HubNotAllowed(ServiceError):
    """The settings of the service forbid this download from the hub."""

    status = 400


class DatasetNotFound(ServiceError):
    """The hub has no such data set, revision or file, or this service has no access to it."""

    status = 404


class DatasetTooLarge(ServiceError):
    """The data set on the hub exceeds the limit of bytes or rows."""

    status = 400


class HubNotReachable(ServiceError):
    """The hub does not respond, responds too slowly, or sends an unexpected response."""

    status = 503
    headers: ClassVar[dict[str, str]] = {"retry-after": "10"}

    def __init__(
        self, message: str, *, param: str | None = None, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message, param=param)
        self.retry_after_s = retry_after_s
        """Seconds for which the hub asked not to be asked again; 0 if it did not say."""


class JobsNotComparable(ServiceError):
    """The jobs were scored by different metrics or on different rows."""

    status = 400


class IdempotencyKeyReused(ServiceError):
    """The same Idempotency-Key was sent with a different request body."""

    status = 400


class ServiceUnavailable(ServiceError):
    """The database, the storage or another component does not respond."""

    status = 503
    headers: ClassVar[dict[str, str]] = {"retry-after": "2"}


class DiskFull(ServiceError):
    """The disk of the service is full. Deleting files, models and jobs still works."""

    status = 507
    headers: ClassVar[dict[str, str]] = {"retry-after": "60"}
