"""What a document made from Python's types says amiss of requests: there is no null in an address, a header or a form."""

from typing import Any

Node = dict[str, Any]


def describe_requests(document: Node) -> None:
    """Take null out of every parameter and form field: what has no value is not sent. And a form has the fields named, no others."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _without_null(parameter["schema"])
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                if kind == "multipart/form-data":
                    form = _named(document, content["schema"]["$ref"])
                    form["additionalProperties"] = False
                    form["properties"] = {
                        name: _without_null(field) for name, field in form["properties"].items()
                    }


def _named(document: Node, reference: str) -> Node:
    found: Node = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _without_null(schema: Node) -> Node:
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if not branches:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return rest | branches[0] if len(branches) == 1 else rest | {"anyOf": branches}
