"""Column type for JSON: rows hold the text of a value, the code holds pydantic models."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator


class TypedJson(TypeDecorator[Any]):
    """JSON column whose values have a Python type: a pydantic model, or a list or dict.

    The text is validated as it is read, without a detour over dicts. None is NULL, not the JSON
    text null. The values are frozen or must be treated as such, because SQLAlchemy does not notice
    a change within one: assign a changed copy.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, shape: Any, *, exclude_unset: bool = False) -> None:
        """``exclude_unset`` writes only the fields that were given, for requests."""
        super().__init__(none_as_null=True)
        self.shape = shape
        self.exclude_unset = exclude_unset

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Any:
        if value is None:
            return None
        # warnings="error": a value of another type must not be stored
        return _get_adapter(self.shape).dump_python(
            value, mode="json", exclude_unset=self.exclude_unset, warnings="error"
        )

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], Any]:
        """Return the parser of stored values, instead of the one that makes dicts of them."""
        adapter = _get_adapter(self.shape)

        # of the core: a list of jobs has a thousand values, and the adapter's frame costs a third
        validate_json = adapter.validator.validate_json

        def parse_value(text: str | bytes | None) -> Any:
            if text is None:
                return None
            try:
                return validate_json(text)
            except ValidationError as error:
                return _parse_surrogates(adapter, text, error)

        return parse_value

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        # the key in ``column[key]`` is not a value of the column
        return cast(JSON, self.impl_instance).coerce_compared_value(op, value)


@cache
def _get_adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _parse_surrogates(adapter: TypeAdapter[Any], text: str | bytes, error: ValidationError) -> Any:
    """Parse a text with half a surrogate pair, which json reads and pydantic's parser rejects.

    Raises ``error`` if that is not what is wrong with the text.
    """
    if error.errors()[0]["type"] != "json_invalid":
        raise error
    return adapter.validate_python(json.loads(text))
