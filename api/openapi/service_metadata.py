"""Service-wide parts of the document: API key, groups of operations, response headers."""

from importlib.metadata import version

from api.access.scopes import get_needed_scope
from api.openapi.nodes import JsonNode
from shared.domain.api_keys import Scope
from shared.infra.settings import Settings

TAG_DESCRIPTIONS = {
    "files": "Data sets, which are checked and profiled on upload, and the result files of jobs.",
    "uploads": "Large files, uploaded in parts.",
    "fine-tuning": "Jobs: one request, several seeds, one report. "
    "Create, follow, pause, resume, extend and clone them.",
    "runs": "The training runs of a job, one per seed, with their metric series.",
    "reports": "Stability reports: the distribution of a job's scores over its seeds.",
    "comparisons": "Statistical comparisons of jobs, based on their seeds.",
    "recipes": "Presets of training settings, resolved to a value for every setting.",
    "models": "Base models that jobs start from, and the models that jobs have published.",
    "classifications": "Predictions of fine-tuned models, one model or an ensemble.",
    "operations": "The queue, the workers, and usage.",
    "health": "Liveness and readiness of the process.",
}
SERVICE_DESCRIPTION = """
Upload a table of texts and labels, create a job, follow it, read its stability report, and
classify texts with its model.

Scripts for the hosted fine-tuning API work once their `base_url` is changed: files, uploads, jobs,
events, checkpoints and models have its schemas, with additional fields and operations.

- **Errors** have one schema, `{"error": {"message", "type", "param", "code"}}`: `message` is for
  people, `code` for programs.
- **Unknown fields and parameters** are refused with status 400; the message names the first one.
- **Lists** are paginated, newest first: `after` is the last ID of the previous page, `limit` the
  maximum number of items.
- **Times** are Unix seconds. Undefined numbers are null.
- **Retries** are safe: requests that create or extend a job accept an `Idempotency-Key`, and
  repeating one with the same key has no further effect.
"""
_REQUEST_ID_HEADER = {
    "description": "ID of the request in the log of the service. A request may send its own "
    "`x-request-id`, of at most 64 letters, digits, `-` and `_`.",
    "required": True,
    "schema": {"type": "string"},
}
_RATE_HEADERS = {
    "x-ratelimit-limit-requests": {
        "description": "Requests that the owner of the key may send at once.",
        "schema": {"type": "string"},
    },
    "x-ratelimit-remaining-requests": {
        "description": "How many of them are left.",
        "schema": {"type": "string"},
    },
    "x-ratelimit-reset-requests": {
        "description": "Time until all are left again, such as `12ms` or `1.5s`.",
        "schema": {"type": "string"},
    },
}
_ETAG_HEADER = {
    "description": "Version of the response; send it as `If-None-Match` in the next request.",
    "required": True,
    "schema": {"type": "string"},
}
_API_KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, whose scope is `read`, `submit` or `admin`; each includes those "
    "before it. A service without keys accepts requests with any key or none, but only from its "
    "own machine.",
}


def get_version() -> str:
    """Return the version of the installed distribution, which pyproject.toml sets."""
    return version("evenkeel")


def describe_service(document: JsonNode, settings: Settings) -> None:
    """Add the security scheme, the tags and the response headers."""
    document["info"]["description"] = SERVICE_DESCRIPTION.strip()
    document["tags"] = [
        {"name": name, "description": description} for name, description in TAG_DESCRIPTIONS.items()
    ]
    components = document["components"]
    components["securitySchemes"] = {"key": _API_KEY_SCHEME}
    components["headers"] = {"x-request-id": _REQUEST_ID_HEADER, "etag": _ETAG_HEADER}
    components["headers"] |= _RATE_HEADERS
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _capitalize_summary(operation)
            _add_response_headers(operation["responses"])
            operation["security"] = []
            if path.startswith("/v1"):
                _describe_key(operation, get_needed_scope(method.upper(), path), settings)
    for response in components["responses"].values():
        _add_header(response, "x-request-id")


def _describe_key(operation: JsonNode, needed: Scope, settings: Settings) -> None:
    """Add the scope that a key needs, and the headers that an owner's rate adds to a success."""
    with_key = {"key": [str(needed)]}
    operation["security"] = [with_key] if settings.api_key is not None else [with_key, {}]
    for name in _RATE_HEADERS:
        _add_header(operation["responses"]["200"], name)


def _capitalize_summary(operation: JsonNode) -> None:
    """Turn a title that FastAPI made of the function's name ("List Files") into "List files"."""
    name = operation["operationId"].replace("_", " ")
    if operation["summary"] == name.title():
        operation["summary"] = name.capitalize()


def _add_response_headers(responses: JsonNode) -> None:
    for response in responses.values():
        if "$ref" not in response:
            _add_header(response, "x-request-id")
    if "304" in responses:
        for status in ("200", "304"):
            _add_header(responses[status], "etag")


def _add_header(response: JsonNode, name: str) -> None:
    response.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}
