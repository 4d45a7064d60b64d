"""Every field and parameter says what it is: in its model's words, in those of the object that
it holds, or in the common ones.
"""

from typing import Any

from api.openapi.field_descriptions import FIELD_DESCRIPTIONS, PARAMETER_DESCRIPTIONS

JsonNode = dict[str, Any]


def describe_fields(document: JsonNode) -> None:
    """Give a description to every property of every schema, and to every parameter, that has
    none of its own.
    """
    schemas: JsonNode = document["components"]["schemas"]
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            words = (
                field.get("description")
                or _find_value_description(field, schemas)
                or FIELD_DESCRIPTIONS.get(name)
            )
            if words:
                field["description"] = words
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if "description" not in parameter and parameter["name"] in PARAMETER_DESCRIPTIONS:
                    parameter["description"] = PARAMETER_DESCRIPTIONS[parameter["name"]]
            _describe_success(operation, schemas)


def _describe_success(operation: JsonNode, schemas: JsonNode) -> None:
    answer = operation["responses"]["200"]
    if answer["description"] == "Successful Response":
        [content] = answer["content"].values()
        branches = content["schema"].get("anyOf", [content["schema"]])
        answer["description"] = " Or: ".join(
            words for branch in branches if (words := _get_description(branch, schemas))
        )


def _find_value_description(field: JsonNode, schemas: JsonNode) -> str | None:
    """What its one kind of value says of itself, where a value can also be null, ``auto`` or
    the like.
    """
    said = [
        words
        for branch in field.get("anyOf", [field])
        if (words := _get_description(branch, schemas))
    ]
    return said[0] if len(said) == 1 else None


def _get_description(branch: JsonNode, schemas: JsonNode) -> str | None:
    if "$ref" in branch:
        branch = schemas[branch["$ref"].rpartition("/")[2]]
    return branch.get("description")
