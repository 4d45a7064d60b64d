"""One error family: a status for HTTP, a stable code for programs, a sentence for people.

A failed run stores its reason in the same form (``as_reason``), so what a person reads in a run
and in an HTTP answer looks alike.
"""

import re
from typing import ClassVar

from typing_extensions import TypedDict


class Reason(TypedDict):
    """Why a job or run failed, as stored in its row and shown in its ``error``."""

    code: str
    message: str
    param: str | None


class ErrorBody(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class ServiceError(Exception):
    """Base of every error that a caller is told about.

    ``status`` is the HTTP status, ``code`` the class name in snake case (or what the class says
    it is), ``param`` the dotted path of the offending input.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "service_error"
    headers: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def type(self) -> str:
        if self.status == 401:
            return "authentication_error"
        if self.status == 403:
            return "permission_error"
        if self.status == 404:
            return "not_found_error"
        if self.status == 429:
            return "rate_limit_error"
        return "invalid_request_error" if self.status < 500 else "server_error"

    def as_body(self) -> dict[str, ErrorBody]:
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }

    def as_reason(self) -> Reason:
        return {"code": self.code, "message": self.message, "param": self.param}


class InvalidRequest(ServiceError):
    """The request is not understood: JSON, query, path, header, an unknown field, a value out
    of range.
    """

    status = 400


class InvalidValue(ServiceError):
    """A field is understood but its value does not fit the data, the model or another field."""

    status = 400


class NotAuthenticated(ServiceError):
    """The service has a key, and the request does not carry it."""

    status = 401
    headers: ClassVar[dict[str, str]] = {"www-authenticate": "Bearer"}


class CrossSiteRequest(ServiceError):
    """A page of another site sent the request through somebody's browser."""

    status = 403


class FileNotFound(ServiceError):
    """There is no such file, or its content is gone."""

    status = 404


class UploadNotFound(ServiceError):
    """There is no such upload."""

    status = 404


class JobNotFound(ServiceError):
    """There is no such job."""

    status = 404


class RunNotFound(ServiceError):
    """The job has no such run."""

    status = 404


class ModelNotFound(ServiceError):
    """There is no such model."""

    status = 404


class RecipeNotFound(ServiceError):
    """No preset has this name."""

    status = 404


class ComparisonNotFound(ServiceError):
    """There is no such comparison."""

    status = 404


class JobAlreadyEnded(ServiceError):
    """The job ended before the wish to cancel it came."""

    status = 400


class JobNotEnded(ServiceError):
    """The job is open; cancel it or wait for its end."""

    status = 400


class RunAlreadyEnded(ServiceError):
    """The run ended before the wish to cancel it came."""

    status = 400


class RunNotRetryable(ServiceError):
    """The run has succeeded, or is of a kind that is not tried again."""

    status = 400


class TooManyStreams(ServiceError):
    """As many event streams are open as one process serves."""

    status = 429
    headers: ClassVar[dict[str, str]] = {"retry-after": "10"}


class JobNotExtendable(ServiceError):
    """The job was cancelled, or chooses among its runs, so that no run can be added to it."""

    status = 400


class FileInUse(ServiceError):
    """A job that has not ended still needs the file."""

    status = 400


class UploadNotPending(ServiceError):
    """The upload was completed, cancelled, or given up when its time was over."""

    status = 400


class ModelInUse(ServiceError):
    """The model is one that comes with the installation, or an open job starts from it."""

    status = 400


class ModelNotServed(ServiceError):
    """The model has no graph to be asked by, or its weights are gone."""

    status = 400


class NoEnsemble(ServiceError):
    """The model's job has kept too few of its runs for them to answer together."""

    status = 400


class PayloadTooLarge(ServiceError):
    """The request has more bytes, or more inputs, than this service takes."""

    status = 413


class UnsupportedMediaType(ServiceError):
    """The upload is of a kind that is no table at all (an archive, a program, a pickle)."""

    status = 415


class ModelNotAllowed(ServiceError):
    """``model`` names nothing in this service's catalogue."""

    status = 400


class HubNotAllowed(ServiceError):
    """The operator has not allowed data sets to be fetched from the hub, or not from where it
    sends on to.
    """

    status = 400


class DatasetNotFound(ServiceError):
    """The hub has no such data set or revision, or does not show it to this service."""

    status = 404


class DatasetTooLarge(ServiceError):
    """A data set of the hub with more bytes or rows than an upload may have."""

    status = 400


class HubNotReachable(ServiceError):
    """The hub does not answer, not in time, or not with what was asked for."""

    status = 503
    headers: ClassVar[dict[str, str]] = {"retry-after": "10"}


class JobsNotComparable(ServiceError):
    """The jobs were scored by different metrics or on different rows."""

    status = 400


class IdempotencyKeyReused(ServiceError):
    """The same Idempotency-Key came with another body."""

    status = 400


class ServiceBusy(ServiceError):
    """As many requests of the kind are being worked on as may be."""

    status = 429
    headers: ClassVar[dict[str, str]] = {"retry-after": "1"}


class ServiceUnavailable(ServiceError):
    """A part the request needs (database, storage) does not answer at present."""

    status = 503
    headers: ClassVar[dict[str, str]] = {"retry-after": "2"}
