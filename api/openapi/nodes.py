"""Access to the parts of an OpenAPI document, which is nested dicts."""

from collections.abc import Iterator
from typing import Any, NamedTuple

JsonNode = dict[str, Any]


class PathOperation(NamedTuple):
    path: str
    operation: JsonNode


def iterate_operations(document: JsonNode) -> Iterator[PathOperation]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield PathOperation(path, operation)


def get_schema(document: JsonNode, reference: str) -> JsonNode:
    """Return the component schema that a ``$ref`` names."""
    schema: JsonNode = document["components"]["schemas"][reference.rpartition("/")[2]]
    return schema
