"""Which Arrow types a column may have: one text or number per row, or a list of labels."""

from typing import Any

import pyarrow as pa
from pyarrow import types


def is_text_type(arrow_type: Any) -> bool:
    if types.is_dictionary(arrow_type):
        return is_text_type(arrow_type.value_type)
    return bool(
        types.is_string(arrow_type)
        or types.is_large_string(arrow_type)
        or types.is_string_view(arrow_type)
    )


def is_scalar_type(arrow_type: Any) -> bool:
    if types.is_dictionary(arrow_type):
        return is_scalar_type(arrow_type.value_type)
    flat = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_date,
        types.is_timestamp,
        types.is_null,
    )
    return is_text_type(arrow_type) or any(test(arrow_type) for test in flat)


def is_label_list_type(arrow_type: Any) -> bool:
    """Whether a column of lists can be labels; lists of fractions are vectors."""
    if not (types.is_list(arrow_type) or types.is_large_list(arrow_type)):
        return False
    item = arrow_type.value_type
    return (
        is_text_type(item)
        or types.is_integer(item)
        or types.is_boolean(item)
        or types.is_null(item)
    )


def is_readable_type(arrow_type: Any) -> bool:
    """Whether a column's values can be cells."""
    return is_scalar_type(arrow_type) or is_label_list_type(arrow_type)


def describe_problem(arrow_type: Any) -> dict[str, str]:
    """Return the problem of every value of a column of an unreadable type."""
    return {
        "code": "unsupported_type",
        "message": f"The column contains {_describe_type(arrow_type)}.",
    }


def _describe_type(arrow_type: Any) -> str:
    if _is_bytes_type(arrow_type):
        return "bytes. Cast it to string if it is text"
    if types.is_struct(arrow_type) or types.is_map(arrow_type):
        return "structs. Write the field that is needed as a column of its own"
    if types.is_nested(arrow_type):
        return "vectors or nested lists, which are neither texts nor labels"
    return "values that are neither texts nor numbers. Cast it to string"


def _is_bytes_type(arrow_type: Any) -> bool:
    return bool(
        types.is_binary(arrow_type)
        or types.is_large_binary(arrow_type)
        or types.is_binary_view(arrow_type)
        or types.is_fixed_size_binary(arrow_type)
    )


def count_leaves(arrow_type: Any) -> int:
    """Return how many columns of the file store a column of this type."""
    if isinstance(arrow_type, pa.BaseExtensionType):
        return count_leaves(arrow_type.storage_type)
    if not types.is_nested(arrow_type):
        return 1
    fields = [arrow_type.field(index) for index in range(arrow_type.num_fields)]
    return sum(count_leaves(field.type) for field in fields)
