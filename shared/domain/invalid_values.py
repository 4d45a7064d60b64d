"""Messages for values that pydantic rejects, in plain words: of requests and of settings.

For a union, pydantic reports the errors of every alternative. Only those of the alternative that
was meant are kept: the one that accepts the kind of value that was given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pydantic_core import ErrorDetails

from shared.domain.wording import format_count, join_alternatives

_KINDS: dict[str, tuple[str, ...]] = {
    "string": ("a string",),
    "int": ("a whole number",),
    "float": ("a number",),
    "decimal": ("a number",),
    "bool": ("true", "false"),
    "list": ("a list",),
    "tuple": ("a list",),
    "set": ("a list",),
    "dict": ("an object",),
    "mapping": ("an object",),
    "model": ("an object",),
    "none": ("null",),
    "date": ("a date",),
    "datetime": ("a date with a time",),
    "path": ("a path",),
    "url": ("a URL",),
    "bytes": ("bytes",),
}
"""Kinds of values by the first word of the error types that are about a kind."""
_KIND_SUFFIXES = (
    "type",
    "attributes_type",
    "from_float",
    "parsing",
    "required",
    "from_date_parsing",
)
_CHOICE_ERRORS = ("literal_error", "enum")
_CONSTRAINTS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "int_parsing_size": "has too many digits",
    "string_unicode": "contains characters that are not valid Unicode",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "json_invalid": "is not valid JSON",
    "url_scheme": "must begin with {expected_schemes}",
}
_LENGTHS = {
    "string_too_short": ("min_length", "character"),
    "string_too_long": ("max_length", "character"),
    "too_short": ("min_length", "item"),
    "too_long": ("max_length", "item"),
}
_KEY = "[key]"


@dataclass(frozen=True)
class InvalidField:
    """The first invalid field of a value, without the alternatives that were not meant."""

    path: tuple[int | str, ...]
    """Keys and indices that lead to the field."""
    errors: list[ErrorDetails]
    """Its errors: several if no alternative accepts the kind of its value."""
    others: int
    """Number of other invalid fields."""
    is_key: bool = False
    """Whether a key of the field is invalid, not its value."""

    @property
    def is_unknown(self) -> bool:
        return self.errors[0]["type"] == "extra_forbidden"

    @property
    def is_missing(self) -> bool:
        return self.errors[0]["type"] in ("missing", "missing_argument")


@dataclass(frozen=True)
class _LocatedError:
    error: ErrorDetails
    path: tuple[int | str, ...]
    alternatives: list[tuple[tuple[int | str, ...], int | str, tuple[int | str, ...]]]
    """For each union on the way: its location, the tried alternative, and the union's path."""

    @property
    def is_about_kind(self) -> bool:
        type_ = self.error["type"]
        return _get_kind(type_) is not None or type_ in _CHOICE_ERRORS


def find_invalid_field(errors: Sequence[ErrorDetails], value: object) -> InvalidField:
    """Return the first invalid field of ``value``, which pydantic rejected with ``errors``."""
    located = _keep_meant_alternatives([_locate(error, value) for error in errors])
    by_path: dict[tuple[int | str, ...], list[ErrorDetails]] = {}
    for one in located:
        by_path.setdefault(one.path, []).append(one.error)
    path, first = next(iter(by_path.items()))
    if path[-1:] == (_KEY,):
        return InvalidField(path[:-2], first, len(by_path) - 1, is_key=True)
    return InvalidField(path, first, len(by_path) - 1)


def describe_invalid_value(errors: Sequence[ErrorDetails]) -> str:
    """Describe what is wrong with a field, to follow its name: "must be at least 1"."""
    kinds = dict.fromkeys(chain.from_iterable(map(_list_accepted_kinds, errors)))
    if kinds:
        return f"must be {join_alternatives(list(kinds))}"
    return _describe_constraint(errors[0])


def _locate(error: ErrorDetails, value: object) -> _LocatedError:
    """Tell the keys and indices in an error's location from the alternatives of unions.

    For example, ``constrained-int`` and ``literal['auto']`` are alternatives unless the value has
    such a key.
    """
    location = error["loc"]
    path: list[int | str] = []
    alternatives = []
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        elif not (is_last and (part == _KEY or error["type"] == "missing")):
            alternatives.append((location[:position], part, tuple(path)))
            continue
        path.append(part)
    return _LocatedError(error, tuple(path), alternatives)


def _keep_meant_alternatives(errors: list[_LocatedError]) -> list[_LocatedError]:
    """Leave out the errors of alternatives for another kind of value than the given one.

    If no alternative accepts the kind, all stay: together they are what is accepted.
    """
    meant = {
        (union, alternative)
        for error in errors
        for union, alternative, path in error.alternatives
        if error.path != path or not error.is_about_kind
    }
    unions_with_meant = {union for union, _ in meant}
    return [
        error
        for error in errors
        if all(
            union not in unions_with_meant or (union, alternative) in meant
            for union, alternative, _ in error.alternatives
        )
    ]


def _list_accepted_kinds(error: ErrorDetails) -> Sequence[str]:
    """List the kinds, or the words, that an error says a value must be; empty for others."""
    if error["type"] in _CHOICE_ERRORS:
        expected = str(error.get("ctx", {}).get("expected", ""))
        words = expected.split("'")[1::2]
        return [f'"{word}"' for word in words] or [expected]
    kind = _get_kind(error["type"])
    return () if kind is None else _KINDS[kind]


def _get_kind(error_type: str) -> str | None:
    """Return the kind of value that an error asks for; None if it is about something else."""
    kind, _, suffix = error_type.partition("_")
    return kind if kind in _KINDS and suffix in _KIND_SUFFIXES else None


def _describe_constraint(error: ErrorDetails) -> str:
    type_, context = error["type"], error.get("ctx", {})
    if type_ in _LENGTHS:
        return _describe_length(context, *_LENGTHS[type_])
    if type_ not in _CONSTRAINTS:
        return "is invalid"
    return _CONSTRAINTS[type_].format_map(
        {name: _format_bound(bound) for name, bound in context.items()}
    )


def _describe_length(context: Mapping[str, int], bound: str, noun: str) -> str:
    length = context[bound]
    if bound == "min_length" and length == 1:
        return "must not be empty"
    limit = "at least" if bound == "min_length" else "at most"
    return f"must have {limit} {format_count(length, noun)}"


def _format_bound(bound: object) -> str:
    if isinstance(bound, float):
        return f"{int(bound):,}" if bound.is_integer() else f"{bound:g}"
    return f"{bound:,}" if isinstance(bound, int) else str(bound)
