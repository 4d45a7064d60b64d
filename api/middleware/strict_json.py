"""Strict JSON: reject what Python parses but the JSON standard or the database does not allow."""

import json
from typing import Final

from starlette.datastructures import Headers

from shared.domain.errors import InvalidRequest
from shared.domain.json_structure import find_excess

MAX_DEPTH: Final = 32
"""No request of this service is nested more than ten levels deep."""
MAX_ITEMS: Final = 20_000
"""Values and members of a request's body; its longest list has 5,000."""


def is_json(headers: Headers) -> bool:
    """Whether the body of a request with these headers is JSON."""
    media_type = headers.get("content-type", "").split(";", maxsplit=1)[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def check_json(content: bytes) -> None:
    """Raise InvalidRequest for invalid JSON, NaN, duplicate keys, NUL and lone surrogates, and for
    more structure than a request can have.
    """
    if not content:
        return
    try:
        text = content.decode("utf-8")
        _check_structure(text)
        value = json.loads(
            text,
            object_pairs_hook=_build_unique_dict,
            parse_constant=_reject_constant,
            parse_float=_parse_finite_float,
        )
        # only escapes express characters that no UTF-8 text, or no JSON string, contains
        if "\\u" in text:
            _check_strings(value)
    except UnicodeDecodeError:
        raise InvalidRequest("The request body is not UTF-8; encode it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The request body is not valid JSON: {error.msg} "
            f"(line {error.lineno}, column {error.colno})."
        ) from None
    except ValueError:  # Python does not convert an integer of this many digits
        raise _build_out_of_range_error() from None


def _check_structure(text: str) -> None:
    excess = find_excess(text, max_depth=MAX_DEPTH, max_items=MAX_ITEMS)
    if excess == "depth":
        raise InvalidRequest("The JSON in the request body is nested too deeply.")
    if excess == "items":
        raise InvalidRequest(f"The JSON in the request body has more than {MAX_ITEMS:,} values.")


def _build_unique_dict(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest(
            "An object in the request body has the same key twice; send each key once."
        )
    return members


def _reject_constant(name: str) -> None:
    raise InvalidRequest(
        f"The request body contains {name}, which is not valid JSON; send a number or null."
    )


def _parse_finite_float(literal: str) -> float:
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise _build_out_of_range_error()
    return value


def _check_strings(value: object) -> None:
    if isinstance(value, str):
        if "\0" in value or not _is_encodable(value):
            raise InvalidRequest(
                "A string in the request body contains a NUL character or an unpaired surrogate; "
                "remove it."
            )
    elif isinstance(value, dict):
        for key, child in value.items():
            _check_strings(key)
            _check_strings(child)
    elif isinstance(value, list):
        for child in value:
            _check_strings(child)


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _build_out_of_range_error() -> InvalidRequest:
    return InvalidRequest("A number in the request body is out of range.")
