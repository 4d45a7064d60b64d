"""Strict JSON: reject what Python parses but the JSON standard or the database does not allow."""

import json

from starlette.datastructures import Headers

from shared.domain.errors import InvalidRequest


def has_json_body(method: str, headers: Headers) -> bool:
    media_type = headers.get("content-type", "").split(";", maxsplit=1)[0].strip().lower()
    return method in ("POST", "PUT", "PATCH") and (
        media_type == "application/json" or media_type.endswith("+json")
    )


def check_json(content: bytes) -> None:
    """Raise InvalidRequest for invalid JSON, NaN, duplicate keys, NUL and lone surrogates."""
    if not content:
        return
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_build_unique_dict,
            parse_constant=_reject_constant,
        )
        _check_value(value)
    except UnicodeDecodeError:
        raise InvalidRequest("The request body is not UTF-8; encode it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The request body is not valid JSON: {error.msg} "
            f"(line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise InvalidRequest("The JSON in the request body is nested too deeply.") from None
    except ValueError:  # Python does not convert an integer of this many digits
        raise _build_out_of_range_error() from None


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


def _check_value(value: object) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidRequest(
                "A string in the request body contains a NUL character or an unpaired surrogate; "
                "remove it."
            )
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            raise _build_out_of_range_error()
    elif isinstance(value, dict):
        for key, child in value.items():
            _check_value(key)
            _check_value(child)
    elif isinstance(value, list):
        for child in value:
            _check_value(child)


def _build_out_of_range_error() -> InvalidRequest:
    return InvalidRequest("A number in the request body is out of range.")
