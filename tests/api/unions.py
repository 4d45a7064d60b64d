"""Every union in the request schemas, and values that are of one alternative's kind but wrong."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.app import ROUTERS

Schema = dict[str, Any]


class Union(NamedTuple):
    """A field of a request that accepts values of several kinds."""

    model: type[BaseModel]
    path: tuple[str | int, ...]
    alternatives: list[Schema]
    """JSON schemas, without references, null and nested unions."""


def list_request_models() -> list[type[BaseModel]]:
    """List the JSON bodies of all routes."""
    models = {
        body_field.field_info.annotation
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for body_field in route.dependant.body_params
    }
    found = {_unwrap_optional(model) for model in models}
    return sorted(
        (one for one in found if isinstance(one, type) and issubclass(one, BaseModel)),
        key=lambda model: model.__name__,
    )


def _unwrap_optional(model: Any) -> Any:
    arguments = [one for one in getattr(model, "__args__", ()) if one is not type(None)]
    return arguments[0] if len(arguments) == 1 else model


def list_unions() -> list[Union]:
    unions: list[Union] = []
    for model in list_request_models():
        schema = model.model_json_schema()
        unions += _walk_schema(model, schema, schema.get("$defs", {}), ())
    return unions


def _walk_schema(
    model: type[BaseModel], schema: Schema, definitions: Schema, path: tuple[str | int, ...]
) -> Iterator[Union]:
    alternatives = list(_list_alternatives(schema, definitions))
    if len(alternatives) > 1:
        yield Union(model, path, alternatives)
    for alternative in alternatives:
        for name, child in alternative.get("properties", {}).items():
            yield from _walk_schema(model, child, definitions, (*path, name))
        if isinstance(alternative.get("items"), dict):
            yield from _walk_schema(model, alternative["items"], definitions, (*path, 0))


def _list_alternatives(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _list_alternatives(definitions[schema["$ref"].split("/")[-1]], definitions)
    elif "anyOf" in schema or "oneOf" in schema:
        for part in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
            yield from _list_alternatives(part, definitions)
    elif schema.get("type") != "null":
        yield schema


class WrongValue(NamedTuple):
    value: Any
    text: str
    """What the error has to say."""
    place: tuple[str | int, ...] = ()
    """Where in the value the fault is."""


def list_wrong_values(schema: Schema) -> list[WrongValue]:
    """List values of the schema's kind that it does not accept."""
    match schema.get("type"):
        case "integer" | "number":
            return _list_wrong_numbers(schema)
        case "string" if "const" in schema or "enum" in schema:
            words = schema.get("enum", [schema.get("const")])
            return [WrongValue("no such word", f'"{words[0]}"')]
        case "string":
            longest = schema.get("maxLength")
            return [
                WrongValue("", "must not be empty"),
                *([WrongValue("x" * (longest + 1), "must have at most")] if longest else ()),
            ]
        case "array":
            items = schema["items"]  # unions among them are walked to as fields of their own
            return [
                WrongValue([], "must not be empty"),
                *(
                    WrongValue([wrong.value], wrong.text, (0, *wrong.place))
                    for wrong in ([] if "oneOf" in items else list_wrong_values(items))
                ),
            ]
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return [
                WrongValue({}, "must not be empty"),
                WrongValue({"": 1}, "A key of "),
                *(
                    WrongValue({key: wrong.value}, wrong.text, (key, *wrong.place))
                    for key in ("pos", "int", "a[b]", "str")
                    for wrong in list_wrong_values(schema["additionalProperties"])
                ),
            ]
        case "object":
            first = next(iter(schema["required"]))
            return [
                WrongValue({}, f"{first} is required", (first,)),
                WrongValue({first: 5}, "must be a string", (first,)),
                WrongValue({first: "a", "other": 1}, "Unknown field", ("other",)),
            ]
        case "boolean":
            return [WrongValue("true", "true or false")]
    raise AssertionError(f"extend list_wrong_values for {schema}")


def _list_wrong_numbers(schema: Schema) -> list[WrongValue]:
    bounds = {
        "minimum": (-1, "must be at least"),
        "exclusiveMinimum": (0, "must be greater than"),
        "maximum": (1, "must be at most"),
        "exclusiveMaximum": (0, "must be less than"),
    }
    return [
        WrongValue(int(schema[name]) + offset, text)
        for name, (offset, text) in bounds.items()
        if name in schema
    ]
