"""Base class of the error family, and the forms in which an error is stored and sent.

A failed run stores its reason in the same form (``as_reason``), so that a run's ``error`` and an
HTTP error read alike.
"""

import re
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from shared.domain.visible_text import Prose, show_controls

_TYPE_BY_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class Reason(BaseModel):
    """Why a job or run failed, as stored in its row and shown in its ``error``."""

    model_config = ConfigDict(frozen=True)

    code: Annotated[str, Field(description="Stable machine-readable code.")]
    message: Annotated[Prose, Field(description="Explanation for people.")]
    param: Annotated[
        str | None, Field(description="Dotted path of the field at fault; null if there is none.")
    ]


class ErrorBody(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class ServiceError(Exception):
    """Base of every error that is reported to a caller.

    ``status`` is the HTTP status, ``code`` the class name in snake case (unless the class sets
    another), ``param`` the dotted path of the field, parameter or header at fault.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "service_error"
    headers: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = show_controls(message)
        self.param = param
        self.response_headers = dict(self.headers)
        """The headers of the class, whose values an instance may change."""

    @property
    def type(self) -> str:
        fallback = "invalid_request_error" if self.status < 500 else "server_error"
        return _TYPE_BY_STATUS.get(self.status, fallback)

    def to_body(self) -> dict[str, ErrorBody]:
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }

    def to_reason(self) -> Reason:
        return Reason(code=self.code, message=self.message, param=self.param)
