"""What a document made from Python's types says amiss of requests: there is no null in an
address, a header or a form.
"""

from typing import Any

JsonNode = dict[str, Any]


def remove_null_schemas(document: JsonNode) -> None:
    """Take null out of every parameter and form field: what has no value is not sent. And a
    form has the fields named, no others.
    """
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _remove_null(parameter["schema"])
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                if kind == "multipart/form-data":
                    form = _get_schema(document, content["schema"]["$ref"])
                    form["additionalProperties"] = False
                    form["properties"] = {
                        name: _remove_null(field) for name, field in form["properties"].items()
                    }


def _get_schema(document: JsonNode, reference: str) -> JsonNode:
    found: JsonNode = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _remove_null(schema: JsonNode) -> JsonNode:
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if not branches:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return rest | branches[0] if len(branches) == 1 else rest | {"anyOf": branches}
