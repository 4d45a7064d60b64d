"""The fields of the form, made from the schema of a job's request: texts are not written twice."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from api.jobs.request_schemas import JobRequest

LEFT_OUT: Final = frozenset({"training_file", "dry_run", "webhook"})
"""The file is in the address already; a webhook has a secret, which does not belong there."""
WHOLE: Final = frozenset({"method"})
"""Objects that are one field: this one repeats every setting of a recipe for hosted clients."""
_MARKED: Final = re.compile(r"``([^`]{1,200})``|`([^`]{1,200})`")
_BOUNDS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_Schema = Mapping[str, Any]


class TextPart(NamedTuple):
    """A piece of a description."""

    text: str
    is_code: bool


class FormField(NamedTuple):
    """A setting of a job that is not an object of settings itself."""

    name: str
    """Its dotted path in the request."""
    description: Sequence[TextPart]
    types: frozenset[str]
    """JSON types that it accepts."""
    choices: Sequence[str]
    """All its values, if they can be listed."""
    hint: str
    """What else can be entered, and the bounds."""

    @property
    def path(self) -> Sequence[str]:
        return self.name.split(".")

    @property
    def group(self) -> str:
        """The object that it belongs to; empty for the request itself."""
        return self.name.rpartition(".")[0]

    @property
    def label(self) -> str:
        return self.path[-1]


@cache
def list_fields() -> Mapping[str, FormField]:
    """List the fields by name, in the order of the schema."""
    schema = JobRequest.model_json_schema()
    return {field.name: field for field in _walk(schema, schema["$defs"], "")}


def split_code(text: str) -> list[TextPart]:
    """Split a description at what is marked as code."""
    parts, end = [], 0
    for match in _MARKED.finditer(text):
        parts.append(TextPart(text[end : match.start()], is_code=False))
        parts.append(TextPart(match[1] or match[2], is_code=True))
        end = match.end()
    parts.append(TextPart(text[end:], is_code=False))
    return [part for part in parts if part.text]


def _walk(schema: _Schema, definitions: _Schema, prefix: str) -> Iterator[FormField]:
    for name, value in schema["properties"].items():
        if not prefix and name in LEFT_OUT:
            continue
        branches = _list_branches(value, definitions)
        inner = next((branch for branch in branches if "properties" in branch), None)
        if inner is not None and name not in WHOLE:
            yield from _walk(inner, definitions, f"{prefix}{name}.")
        else:
            yield _build_field(f"{prefix}{name}", value, branches)


def _list_branches(schema: _Schema, definitions: _Schema) -> list[_Schema]:
    """List the alternatives of a schema, without null."""
    if "$ref" in schema:
        return _list_branches(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        nested = (_list_branches(branch, definitions) for branch in schema["anyOf"])
        return [branch for branches in nested for branch in branches]
    return [] if schema.get("type") == "null" else [schema]


def _build_field(name: str, schema: _Schema, branches: Sequence[_Schema]) -> FormField:
    choices = [choice for branch in branches for choice in _list_choices(branch)]
    is_closed = all(map(_list_choices, branches))
    return FormField(
        name=name,
        description=split_code(" ".join(_find_description(schema).split())),
        types=frozenset(str(branch["type"]) for branch in branches if "type" in branch),
        choices=choices if is_closed else (),
        hint="" if is_closed else _describe_values(schema, branches, choices),
    )


def _find_description(schema: _Schema) -> str:
    """Return the field's own description, or else the first of its alternatives'."""
    if "description" in schema:
        return str(schema["description"])
    return next(filter(None, map(_find_description, schema.get("anyOf", []))), "")


def _list_choices(branch: _Schema) -> list[str]:
    if branch.get("type") == "boolean":
        return ["true", "false"]
    return [str(value) for value in branch.get("enum", [])] or (
        [str(branch["const"])] if "const" in branch else []
    )


def _describe_values(schema: _Schema, branches: Sequence[_Schema], choices: Sequence[str]) -> str:
    parts = list(choices)
    for branch in branches:
        bounds = [
            f"{word} {_format_bound(branch[key])}" for key, word in _BOUNDS.items() if key in branch
        ]
        if bounds and (choices or len(branches) == 1):  # not of the index of a column
            parts.append(" and ".join(bounds))
        if branch.get("type") == "array":
            parts.append("a list with commas")
        if branch.get("type") == "object":
            parts.append("a JSON object")
    default = schema.get("default")
    shown = f"Default {default}" if default not in (None, "auto") else ""
    values = ", or ".join(parts)
    return ". ".join(filter(None, [values[:1].upper() + values[1:], shown]))


def _format_bound(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
