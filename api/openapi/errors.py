"""Every error answer of every operation: its own, which the route names, and those that
anything in front of the routes may give.
"""

from collections.abc import Iterable
from typing import Any

from api.errors import ERROR_CODES_KEY, InternalError
from api.openapi.error_examples import ERROR_EXAMPLES
from shared.domain.errors import (
    CrossSiteRequest,
    InvalidRequest,
    NotAuthenticated,
    PayloadTooLarge,
    ServiceError,
    ServiceUnavailable,
)

JsonNode = dict[str, Any]
_STATUS_DESCRIPTIONS = {
    400: "Not understood, or not possible as things are",
    401: "No key, or a wrong one",
    403: "Sent by a page of another site",
    404: "Not there",
    413: "Too large",
    415: "No table at all",
    422: "The content of the file cannot be read",
    429: "Too much at once; try again after `Retry-After`",
    500: "A fault of the service",
    503: "A part of the service does not answer; try again after `Retry-After`",
}
_HEADER_SCHEMAS = {
    "retry-after": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "string"},
    },
    "www-authenticate": {
        "description": "`Bearer`.",
        "required": True,
        "schema": {"type": "string"},
    },
}
_SHARED_ERRORS = {
    error.status: error
    for error in (
        NotAuthenticated,
        CrossSiteRequest,
        PayloadTooLarge,
        InternalError,
        ServiceUnavailable,
    )
}


def describe_error_responses(document: JsonNode) -> None:
    """Give each operation the whole list of its error answers, each code with what it means and
    an example.
    """
    shared = document["components"].setdefault("responses", {})
    for error in _SHARED_ERRORS.values():
        shared[error.__name__] = _build_response([error])
    for path, methods in document["paths"].items():
        for operation in methods.values():
            answers = operation["responses"]
            if "HTTPValidationError" in str(
                answers.get("422")
            ):  # the framework's own, which this service never gives
                del answers["422"]
            for status, errors in _group_errors_by_status(path, operation).items():
                alone = _SHARED_ERRORS.get(status)
                known = errors == [alone] and alone is not None
                answers[str(status)] = (
                    {"$ref": f"#/components/responses/{alone.__name__}"}
                    if known and alone
                    else _build_response(errors)
                )
            operation["responses"] = dict(sorted(answers.items()))
    for framework in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(framework, None)


def _group_errors_by_status(path: str, operation: JsonNode) -> dict[int, list[type[ServiceError]]]:
    own = [
        code
        for answer in operation["responses"].values()
        for code in answer.pop(ERROR_CODES_KEY, ())
    ]
    by_code = {error.code: error for error in _iterate_error_family(ServiceError)}
    found: dict[int, list[type[ServiceError]]] = {}
    for error in dict.fromkeys(
        [*_iterate_common_errors(path, operation), *(by_code[code] for code in own)]
    ):
        found.setdefault(error.status, []).extend(_list_concrete_errors(error))
    return found


def _iterate_common_errors(path: str, operation: JsonNode) -> Iterable[type[ServiceError]]:
    """What the middleware, and what every route rests on, may answer instead of the operation."""
    yield InvalidRequest
    yield CrossSiteRequest
    yield InternalError
    if path.startswith("/v1"):
        yield NotAuthenticated
    if "requestBody" in operation:
        yield PayloadTooLarge
    if path != "/health":
        yield ServiceUnavailable


def _list_concrete_errors(error: type[ServiceError]) -> list[type[ServiceError]]:
    """The error, or those that it is the family of: an answer has the code of one of them."""
    return list(_iterate_error_family(error))[1:] if error.__subclasses__() else [error]


def _iterate_error_family(error: type[ServiceError]) -> Iterable[type[ServiceError]]:
    yield error
    for below in error.__subclasses__():
        yield from _iterate_error_family(below)


def _build_response(errors: list[type[ServiceError]]) -> JsonNode:
    lines = [f"- `{error.code}`: {_get_first_paragraph(error)}" for error in errors]
    headers = {name: _HEADER_SCHEMAS[name] for error in errors for name in error.headers}
    return {
        "description": "\n".join([f"{_STATUS_DESCRIPTIONS[errors[0].status]}.", "", *lines]),
        **({"headers": headers} if headers else {}),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                "examples": {
                    error.code: {"value": ERROR_EXAMPLES[error].as_body()} for error in errors
                },
            }
        },
    }


def _get_first_paragraph(error: type[ServiceError]) -> str:
    return " ".join((error.__doc__ or "").split("\n\n")[0].split())
