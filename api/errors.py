"""Every error in one shape, ``{"error": {message, type, param, code}}``; what a caller sent is
never echoed back.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.domain.errors import InvalidRequest, ServiceError, ServiceUnavailable

log = logging.getLogger(__name__)

ERROR_CODES_KEY = "x-errors"
"""Where a response of an operation keeps the codes of its errors until the document is
completed.
"""


class ErrorDetail(BaseModel):
    """What was wrong, for people and for programs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """A sentence for people, with what to do about it."""
    type: str
    """The class of the status, as the official client names it."""
    param: str | None
    """Dotted path of the field, parameter or header that is meant; null where it is none."""
    code: str | None
    """For programs: what was wrong, in words that stay."""


class ErrorResponse(BaseModel):
    """Every error has this body; its id is in the header `x-request-id`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: ErrorDetail
    """What was wrong."""


class RouteNotFound(ServiceError):
    """Nothing is served at this address."""

    status = 404


class MethodNotAllowed(ServiceError):
    """The address takes other methods."""

    status = 405


class InternalError(ServiceError):
    """A fault of the service; its log has it under the request id."""

    status = 500


def document_errors(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """An operation's own errors, for its ``responses``; ``api.openapi`` adds those of every
    operation, and describes all of them.
    """
    found: dict[int | str, dict[str, Any]] = {}
    everywhere: list[type[ServiceError]] = [InvalidRequest]
    for error in [*everywhere, *errors]:
        response = found.setdefault(
            error.status, {"model": ErrorResponse, "description": "", ERROR_CODES_KEY: []}
        )
        response[ERROR_CODES_KEY].append(error.code)
    return found


def to_error_response(error: ServiceError) -> JSONResponse:
    return JSONResponse(error.as_body(), status_code=error.status, headers=error.headers)


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _handle_service_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(OperationalError, _handle_database_error)
    app.add_exception_handler(Exception, _handle_unexpected_error)


def _handle_service_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return to_error_response(error)


def _handle_validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return to_error_response(describe_validation_errors(error.errors()))


def describe_validation_errors(errors: Sequence[Any]) -> InvalidRequest:
    """The first problem in words, with its dotted path as ``param`` (pydantic's messages quote
    no input).
    """
    by_path: dict[str, list[Any]] = {}
    for error in errors:
        head, *rest = error["loc"][1:] or ("",)
        path = ".".join([str(head), *(str(part) for part in rest if not _is_union_branch(part))])
        by_path.setdefault(path, []).append(error)
    path, problems_there = next(iter(by_path.items()))
    name = _truncate_text(path) or "The request"
    first = problems_there[0]
    if first["type"] == "extra_forbidden":
        message = f"Unknown field {name}"
    elif first["type"] == "missing":
        message = f"Required: {name}"
    else:  # of a union, every branch has its own complaint
        words = dict.fromkeys(
            str(problem["msg"]).removeprefix("Value error, ") for problem in problems_there
        )
        message = f"{name}: {', or '.join(words)}"
    others = f" ({len(by_path) - 1} more fields are wrong)" if len(by_path) > 1 else ""
    return InvalidRequest(f"{message}{others}.", param=_truncate_text(path) or None)


def _is_union_branch(part: object) -> bool:
    """pydantic names the branch of a union it tried (``constrained-int``, ``literal['auto']``):
    not a part of the path.
    """
    return isinstance(part, str) and (any(c in part for c in "[(") or part in _UNION_BRANCHES)


_UNION_BRANCHES = frozenset(
    {
        "int",
        "float",
        "str",
        "bool",
        "constrained-int",
        "constrained-float",
        "constrained-str",
        "dict",
    }
)


def _truncate_text(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."


def _handle_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return to_error_response(
            RouteNotFound(f"No such address: {request.method} {request.url.path[:200]}. See /docs.")
        )
    if error.status_code == 405:
        response = to_error_response(
            MethodNotAllowed(f"{request.method} is not possible at {request.url.path[:200]}.")
        )
        response.headers["allow"] = ", ".join(_list_allowed_methods(request))
        return response
    return to_error_response(InvalidRequest(str(error.detail)))


def _list_allowed_methods(request: Request) -> list[str]:
    """Of all routes at the request's address: a route that refuses a method tells its own alone."""

    def is_served(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)

    return [
        method for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT") if is_served(method)
    ]


def _handle_database_error(_request: Request, error: Exception) -> JSONResponse:
    log.error("database_unavailable error=%s", error)
    return to_error_response(
        ServiceUnavailable("The database does not answer at the moment; try again.")
    )


def _handle_unexpected_error(request: Request, error: Exception) -> JSONResponse:
    request_id = request.scope.get("state", {}).get("request_id")
    log.error("internal_error request_id=%s", request_id, exc_info=error)
    response = to_error_response(
        InternalError(
            f"Something went wrong on our side; the log has it under request {request_id}."
        )
    )
    if request_id is not None:  # this is answered from outside of the middleware that adds it
        response.headers["x-request-id"] = request_id
    return response


def to_error_body(error: ServiceError) -> bytes:
    return json.dumps(error.as_body()).encode()
