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
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.hosted_fields import describe_unsupported_field, describe_unsupported_value
from api.known_fields import suggest_field
from shared.domain.errors import DiskFull, InvalidRequest, ServiceError, ServiceUnavailable
from shared.domain.invalid_values import (
    InvalidField,
    describe_invalid_value,
    find_invalid_field,
)
from shared.domain.wording import choose_verb
from shared.infra.storage_errors import StorageUnavailable, is_disk_full

log = logging.getLogger(__name__)

ERROR_CODES_KEY = "x-errors"
"""Key of a response that holds its error codes until the OpenAPI document is completed."""
MAX_SHOWN_PATH = 200
MAX_SHOWN_NAME = 120
_HTTP_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
OWN_MESSAGES = frozenset({"input_form"})
"""Types of errors whose messages are this service's own and follow the name of the field."""


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
    return JSONResponse(error.to_body(), status_code=error.status, headers=error.response_headers)


def to_error_body(error: ServiceError) -> bytes:
    return json.dumps(error.to_body()).encode()


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _handle_service_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(OperationalError, _handle_database_error)
    app.add_exception_handler(OSError, _handle_system_error)
    app.add_exception_handler(Exception, _handle_unexpected_error)


def describe_validation_errors(
    errors: Sequence[ErrorDetails], body: object, body_type: object = None
) -> InvalidRequest:
    """Describe the first invalid field, with its dotted path as ``param``, and count the others.

    ``body_type`` is the annotation of the body, whose fields an unknown one is compared with.
    """
    places: dict[int | str, object] = {error["loc"][0]: None for error in errors}
    for name in ("query", "path", "header", "cookie"):
        if name in places:  # their values are not known here, and their names need no telling apart
            places[name] = {error["loc"][1]: None for error in errors if error["loc"][0] == name}
    field = find_invalid_field(errors, places | {"body": body})
    path = ".".join(map(str, field.path[1:]))
    others = _describe_others(field.others)
    description = _describe_invalid_field(_truncate_text(path), field)
    cure = _suggest_field(path, field, body_type)
    return InvalidRequest(f"{description}{others}.{cure}", param=_truncate_text(path) or None)


def _suggest_field(path: str, field: InvalidField, body_type: object) -> str:
    """Say what to do about an unknown field; empty for any other error."""
    if not field.is_unknown or describe_unsupported_field(path) is not None:
        return ""
    meant = suggest_field(body_type, field.path[1:])
    if meant is None:
        return " The API's reference, at /docs, lists the known fields."
    return f" Did you mean {meant}?"


def _describe_others(count: int) -> str:
    if not count:
        return ""
    return f" ({count} more {choose_verb(count, 'field is', 'fields are')} invalid)"


def _describe_invalid_field(path: str, field: InvalidField) -> str:
    name = path or "The request body"
    error = field.errors[0]
    if field.is_unknown:
        return describe_unsupported_field(path) or f"Unknown field {name}"
    if field.is_missing:
        return f"{name} is required"
    unsupported = describe_unsupported_value(path, error.get("input"))
    if unsupported is not None:
        return unsupported
    if error["type"] == "value_error":
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] in OWN_MESSAGES:
        return f"{name} {error['msg']}"
    subject = f"A key of {name}" if field.is_key else name
    return f"{subject} {describe_invalid_value(field.errors)}"


def _truncate_text(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_NAME else f"{text[: MAX_SHOWN_NAME - 3]}..."


def _handle_service_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return to_error_response(error)


def _handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return to_error_response(
        describe_validation_errors(error.errors(), error.body, _get_body_type(request))
    )


def _get_body_type(request: Request) -> object:
    """Return the annotation of the body of the request's route; None without a body."""
    route = request.scope.get("route")
    field = route.body_field if isinstance(route, APIRoute) else None
    return None if field is None else field.field_info.annotation


def _handle_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path[:MAX_SHOWN_PATH]
    if error.status_code == 404:
        return to_error_response(RouteNotFound(f"{request.method} {path} does not exist."))
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


def _handle_system_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a failure of the storage or of a disk with its cause."""
    if is_disk_full(error):
        return _refuse_for_full_disk(error)
    if not isinstance(error, StorageUnavailable):
        return _handle_unexpected_error(request, error)
    log.error("storage_unavailable error=%s cause=%s", error, error.__cause__)
    return to_error_response(ServiceUnavailable(f"{error} Retry shortly."))


def _refuse_for_full_disk(error: Exception) -> JSONResponse:
    log.error("disk_full error=%s", error)
    return to_error_response(
        DiskFull(
            "The disk of the service is full. Delete files, models or jobs, or ask its operator."
        )
    )


def _handle_database_error(_request: Request, error: Exception) -> JSONResponse:
    if is_disk_full(error):
        return _refuse_for_full_disk(error)
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
