"""Error responses: every error has the shape ``{"error": {message, type, param, code}}``.

A response quotes nothing from the request except the names of fields and parameters.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.domain.errors import InvalidRequest, ServiceError, ServiceUnavailable

log = logging.getLogger(__name__)

ERROR_CODES_KEY = "x-errors"
"""Key of a response that holds its error codes until the OpenAPI document is completed."""
MAX_SHOWN_PATH = 200
MAX_SHOWN_NAME = 120
_HTTP_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
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


class ErrorDetail(BaseModel):
    """An error: a message for people, and a code for programs."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """Human-readable explanation: what is wrong, and what to do about it."""
    type: str
    """Kind of error by HTTP status, named as in the hosted API."""
    param: str | None
    """Dotted path of the invalid field, or name of the invalid parameter or header; null without
    one."""
    code: str | None
    """Stable machine-readable code."""


class ErrorResponse(BaseModel):
    """Body of every error response; the header `x-request-id` has the ID of the request."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: ErrorDetail
    """The error."""


class RouteNotFound(ServiceError):
    """No operation has this URL path."""

    status = 404


class MethodNotAllowed(ServiceError):
    """The URL path does not support the method of the request."""

    status = 405


class InternalError(ServiceError):
    """An unexpected error in the service, whose log has the details under the request ID."""

    status = 500


def document_errors(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an operation for the errors it declares.

    ``api.openapi.errors`` adds the errors that every operation shares, and describes all of them.
    """
    responses: dict[int | str, dict[str, Any]] = {}
    shared: list[type[ServiceError]] = [InvalidRequest]
    for error in [*shared, *errors]:
        response = responses.setdefault(
            error.status, {"model": ErrorResponse, "description": "", ERROR_CODES_KEY: []}
        )
        response[ERROR_CODES_KEY].append(error.code)
    return responses


def to_error_response(error: ServiceError) -> JSONResponse:
    return JSONResponse(error.to_body(), status_code=error.status, headers=error.headers)


def to_error_body(error: ServiceError) -> bytes:
    return json.dumps(error.to_body()).encode()


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _handle_service_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(OperationalError, _handle_database_error)
    app.add_exception_handler(Exception, _handle_unexpected_error)


def describe_validation_errors(errors: Sequence[ErrorDetails]) -> InvalidRequest:
    """Describe the first invalid field, with its dotted path as ``param``, and count the others.

    The messages are pydantic's, which quote no input.
    """
    errors_by_path: dict[str, list[ErrorDetails]] = {}
    for error in errors:
        errors_by_path.setdefault(_format_path(error["loc"][1:]), []).append(error)
    path, first_errors = next(iter(errors_by_path.items()))
    description = _describe_field_errors(path, first_errors)
    others = _describe_others(len(errors_by_path) - 1)
    return InvalidRequest(f"{description}{others}.", param=_truncate_text(path) or None)


def _describe_others(count: int) -> str:
    if not count:
        return ""
    return f" ({count} more {'field is' if count == 1 else 'fields are'} invalid)"


def _format_path(location: tuple[int | str, ...]) -> str:
    head, *rest = location or ("",)
    return ".".join([str(head), *(str(part) for part in rest if not _is_union_branch(part))])


def _is_union_branch(part: int | str) -> bool:
    """Return whether a part of pydantic's location names the tried branch of a union, not a field.

    For example ``constrained-int`` or ``literal['auto']``.
    """
    return isinstance(part, str) and (any(c in part for c in "[(") or part in _UNION_BRANCHES)


def _describe_field_errors(path: str, errors: Sequence[ErrorDetails]) -> str:
    name = _truncate_text(path) or "The request body"
    if errors[0]["type"] == "extra_forbidden":
        return f"Unknown field {name}"
    if errors[0]["type"] == "missing":
        return f"{name} is required"
    # each branch of a union reports a separate error
    messages = dict.fromkeys(error["msg"].removeprefix("Value error, ") for error in errors)
    return f"{name}: {', or '.join(messages)}"


def _truncate_text(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_NAME else f"{text[: MAX_SHOWN_NAME - 3]}..."


def _handle_service_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return to_error_response(error)


def _handle_validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return to_error_response(describe_validation_errors(error.errors()))


def _handle_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path[:MAX_SHOWN_PATH]
    if error.status_code == 404:
        return to_error_response(
            RouteNotFound(f"{request.method} {path} does not exist; see /docs for the API.")
        )
    if error.status_code == 405:
        allowed = ", ".join(_list_allowed_methods(request))
        response = to_error_response(
            MethodNotAllowed(f"{path} does not support {request.method}; use {allowed}.")
        )
        response.headers["allow"] = allowed
        return response
    return to_error_response(InvalidRequest(str(error.detail)))


def _list_allowed_methods(request: Request) -> list[str]:
    """List the methods of all routes with this path; Starlette lists those of one route."""

    def is_served(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)

    return [method for method in _HTTP_METHODS if is_served(method)]


def _handle_database_error(_request: Request, error: Exception) -> JSONResponse:
    log.error("database_unavailable error=%s", error)
    return to_error_response(ServiceUnavailable("The database does not respond; retry shortly."))


def _handle_unexpected_error(request: Request, error: Exception) -> JSONResponse:
    request_id = request.scope.get("state", {}).get("request_id")
    log.error("internal_error request_id=%s", request_id, exc_info=error)
    response = to_error_response(
        InternalError(f"Internal error; search the log of the service for {request_id}.")
    )
    if request_id is not None:  # this response does not pass the middleware that adds the header
        response.headers["x-request-id"] = request_id
    return response
