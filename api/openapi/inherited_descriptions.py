"""Descriptions that fields and successful responses inherit from their types."""

from api.openapi.nodes import JsonNode, get_schema, iterate_operations

DEFAULT_RESPONSE_DESCRIPTION = "Successful Response"  # FastAPI's


def inherit_descriptions(document: JsonNode) -> None:
    """Describe each field and response that has no description by its type's description."""
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            description = field.get("description") or _find_type_description(document, field)
            if description:
                field["description"] = description
    for _, operation in iterate_operations(document):
        _describe_success(document, operation)


def _describe_success(document: JsonNode, operation: JsonNode) -> None:
    response = operation["responses"]["200"]
    if response["description"] == DEFAULT_RESPONSE_DESCRIPTION:
        [content] = response["content"].values()
        response["description"] = " Or: ".join(_list_descriptions(document, content["schema"]))


def _find_type_description(document: JsonNode, field: JsonNode) -> str | None:
    """Return the description of the only described type of a field, which may also be nullable."""
    descriptions = _list_descriptions(document, field)
    return descriptions[0] if len(descriptions) == 1 else None


def _list_descriptions(document: JsonNode, schema: JsonNode) -> list[str]:
    """List the descriptions of a schema's alternatives."""
    resolved = [
        get_schema(document, branch["$ref"]) if "$ref" in branch else branch
        for branch in schema.get("anyOf", [schema])
    ]
    return [branch["description"] for branch in resolved if branch.get("description")]
