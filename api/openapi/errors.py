"""Error responses of operations: those an operation declares, and those that any may return."""

from collections.abc import Iterator, Sequence

from api.errors import ERROR_CODES_KEY, InternalError
from api.openapi.error_examples import ERROR_EXAMPLES
from api.openapi.nodes import JsonNode, iterate_operations
from shared.domain.errors import (
    CrossSiteRequest,
    DiskFull,
    HostNotAllowed,
    InvalidRequest,
    MissingScope,
    NotAuthenticated,
    PayloadTooLarge,
    RequestHeadTooLarge,
    RequestTimeout,
    ServiceError,
    ServiceUnavailable,
)
from shared.domain.limit_errors import RequestRateLimit, TooManyWrongKeys

_STATUS_DESCRIPTIONS = {
    400: "The request is invalid, or impossible in the current state",
    401: "The API key is missing or wrong",
    403: "The request is not allowed",
    404: "The resource does not exist",
    408: "The request comes too slowly",
    413: "The request is too large",
    415: "The file is not a table, or a model's file not an archive",
    421: "The service does not answer under this name",
    422: "The content of the file cannot be read",
    429: "A limit is reached; retry after `Retry-After` seconds, if the response has it",
    431: "The URL or the header fields are too large",
    500: "Internal error",
    503: "A component does not respond; retry after `Retry-After` seconds",
    507: "The disk is full; retry after `Retry-After` seconds",
}
_HEADER_SCHEMAS = {
    "retry-after": {
        "description": "Seconds to wait before a retry.",
        "schema": {"type": "string"},
    },
    "x-should-retry": {
        "description": "`false` if repeating the request cannot help before something is deleted.",
        "schema": {"type": "string"},
    },
    "www-authenticate": {
        "description": "Always `Bearer`.",
        "required": True,
        "schema": {"type": "string"},
    },
}
_SHARED_RESPONSES: dict[str, Sequence[type[ServiceError]]] = {
    "NotAuthenticated": [NotAuthenticated],
    "CrossSiteRequest": [CrossSiteRequest],
    "NotAllowed": [CrossSiteRequest, MissingScope],
    "RequestTimeout": [RequestTimeout],
    "PayloadTooLarge": [PayloadTooLarge],
    "HostNotAllowed": [HostNotAllowed],
    "TooManyRequests": [TooManyWrongKeys, RequestRateLimit],
    "RequestHeadTooLarge": [RequestHeadTooLarge],
    "InternalError": [InternalError],
    "ServiceUnavailable": [ServiceUnavailable],
    "DiskFull": [DiskFull],
}
"""Responses with the same errors in many operations, by the names of their components."""
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")


def describe_error_responses(document: JsonNode) -> None:
    """Give each operation all its error responses, with a description and an example per code."""
    shared = document["components"].setdefault("responses", {})
    for name, errors in _SHARED_RESPONSES.items():
        shared[name] = _build_response(errors)
    for path, operation in iterate_operations(document):
        responses = operation["responses"]
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]  # FastAPI's own, which this service never sends
        for status, errors in _group_errors_by_status(path, operation).items():
            responses[str(status)] = _build_response_or_reference(errors)
        operation["responses"] = dict(sorted(responses.items()))
    for name in _FRAMEWORK_SCHEMAS:
        document["components"]["schemas"].pop(name, None)


def _build_response_or_reference(errors: Sequence[type[ServiceError]]) -> JsonNode:
    for name, shared in _SHARED_RESPONSES.items():
        if errors == shared:
            return {"$ref": f"#/components/responses/{name}"}
    return _build_response(errors)


def _group_errors_by_status(path: str, operation: JsonNode) -> dict[int, list[type[ServiceError]]]:
    declared_codes = [
        code
        for response in operation["responses"].values()
        for code in response.pop(ERROR_CODES_KEY, ())
    ]
    errors_by_code = {error.code: error for error in _iterate_error_family(ServiceError)}
    declared = (errors_by_code[code] for code in declared_codes)
    grouped: dict[int, list[type[ServiceError]]] = {}
    for error in dict.fromkeys([*_iterate_common_errors(path, operation), *declared]):
        grouped.setdefault(error.status, []).extend(_list_concrete_errors(error))
    return grouped


def _iterate_common_errors(path: str, operation: JsonNode) -> Iterator[type[ServiceError]]:
    """Yield the errors that the middleware and the shared dependencies may cause."""
    yield InvalidRequest
    yield CrossSiteRequest
    yield RequestTimeout
    yield HostNotAllowed
    yield RequestHeadTooLarge
    yield InternalError
    if path.startswith("/v1"):
        yield NotAuthenticated
        yield MissingScope
        yield TooManyWrongKeys
        yield RequestRateLimit
    if "requestBody" in operation:
        yield PayloadTooLarge
    if path != "/health":
        yield ServiceUnavailable
        yield DiskFull


def _list_concrete_errors(error: type[ServiceError]) -> list[type[ServiceError]]:
    """List the error, or all subclasses of one that is only a base class."""
    return list(_iterate_error_family(error))[1:] if error.__subclasses__() else [error]


def _iterate_error_family(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield error
    for subclass in error.__subclasses__():
        yield from _iterate_error_family(subclass)


def _build_response(errors: Sequence[type[ServiceError]]) -> JsonNode:
    lines = [f"- `{error.code}`: {_get_first_paragraph(error)}" for error in errors]
    headers = {name: _HEADER_SCHEMAS[name] for error in errors for name in error.headers}
    return {
        "description": "\n".join([f"{_STATUS_DESCRIPTIONS[errors[0].status]}.", "", *lines]),
        **({"headers": headers} if headers else {}),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                "examples": {
                    error.code: {"value": ERROR_EXAMPLES[error].to_body()} for error in errors
                },
            }
        },
    }


def _get_first_paragraph(error: type[ServiceError]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n")[0].split())
