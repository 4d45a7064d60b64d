"""Removal of null from the schemas of parameters and forms, where a missing value is not sent."""

from api.openapi.nodes import JsonNode, get_schema, iterate_operations


def remove_null_schemas(document: JsonNode) -> None:
    """Remove null from parameter and form schemas, and forbid undeclared form fields."""
    for _, operation in iterate_operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _remove_null(parameter["schema"])
        body = operation.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in body:
            form = get_schema(document, body["multipart/form-data"]["schema"]["$ref"])
            form["additionalProperties"] = False
            form["properties"] = {
                name: _remove_null(field) for name, field in form["properties"].items()
            }


def _remove_null(schema: JsonNode) -> JsonNode:
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    if not branches:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return rest | branches[0] if len(branches) == 1 else rest | {"anyOf": branches}
