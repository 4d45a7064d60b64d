"""What holds for the service as a whole: its key, its groups of operations, and the headers of
every answer.
"""

from typing import Any

from shared.infra.settings import Settings

JsonNode = dict[str, Any]

TAG_DESCRIPTIONS = {
    "files": (
        "Data sets: uploaded, read at once, and reported on row by row. Result files "
        "of jobs are files too."
    ),
    "uploads": "A large file in parts.",
    "fine-tuning": (
        "Jobs: one request, several seeds, one report. Created, followed, paused, "
        "resumed, extended, copied."
    ),
    "runs": "The trainings that a job is made of, one a seed, with their series of metrics.",
    "reports": "The distribution of a job's scores over its seeds: its primary result.",
    "comparisons": "Whether one job is better than another, as far as their seeds can tell.",
    "recipes": "The presets, resolved to a value for every setting.",
    "models": "What jobs start from, and what they have made.",
    "classifications": "Fine-tuned models asked about texts, alone or as an ensemble.",
    "operations": "What waits, who works, and what has been done.",
    "health": "For whoever watches over the process.",
}
SERVICE_DESCRIPTION = """
Upload a table of texts and labels, create a job, follow it, read its stability report, ask its model.

Scripts for the hosted fine-tuning API work here with another `base_url`: files, uploads, jobs, events, checkpoints and models have
its shapes, and what is new comes as further fields and further operations.

- **Errors** have one shape, `{"error": {"message", "type", "param", "code"}}`: `message` is for people, `code` for programs.
- **Unknown fields and parameters** are refused by name, with 400.
- **Lists** come newest first in pages: `after` is the last id of the page before, `limit` the most items.
- **Times** are unix seconds; a number that is undefined is null.
- **Sending again** is safe: with an `Idempotency-Key` a creation is carried out once.
"""
_REQUEST_ID_HEADER = {
    "description": (
        "Names the request in the service's log; the caller's own `x-request-id`, if "
        "it sent a plain word."
    ),
    "required": True,
    "schema": {"type": "string"},
}
_ETAG_HEADER = {
    "description": "Changes with the answer; send it as `If-None-Match`.",
    "required": True,
    "schema": {"type": "string"},
}
_API_KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": (
        "The service's key, where it has one; without one it serves its own machine "
        "alone, and takes any."
    ),
}


def describe_service(document: JsonNode, settings: Settings) -> None:
    """Add the key, the groups and the headers."""
    document["info"]["description"] = SERVICE_DESCRIPTION.strip()
    document["tags"] = [
        {"name": name, "description": words} for name, words in TAG_DESCRIPTIONS.items()
    ]
    components = document["components"]
    components["securitySchemes"] = {"key": _API_KEY_SCHEME}
    components["headers"] = {"x-request-id": _REQUEST_ID_HEADER, "etag": _ETAG_HEADER}
    needed: list[JsonNode] = [{"key": []}] if settings.api_key is not None else [{"key": []}, {}]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _capitalize_summary(operation)
            operation["security"] = needed if path.startswith("/v1") else []
            for answer in operation["responses"].values():
                if "$ref" not in answer:
                    _add_header(answer, "x-request-id")
            if "304" in operation["responses"]:
                for status in ("200", "304"):
                    _add_header(operation["responses"][status], "etag")
    for answer in components["responses"].values():
        _add_header(answer, "x-request-id")


def _capitalize_summary(operation: JsonNode) -> None:
    """A title that the framework made of the operation's name is a heading in capitals; a
    sentence begins with one.
    """
    words = operation["operationId"].replace("_", " ")
    if operation["summary"] == words.title():
        operation["summary"] = words.capitalize()


def _add_header(answer: JsonNode, name: str) -> None:
    answer.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}
