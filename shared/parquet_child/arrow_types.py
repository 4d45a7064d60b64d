"""Which Arrow types a column may have: one text or number per row, or a list of labels."""

from typing import Any

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


def describe_type(arrow_type: Any) -> str:
    if types.is_nested(arrow_type):
        return "structs, vectors, or lists of values other than texts, integers and booleans"
    return (
        "bytes"
        if types.is_binary(arrow_type) or types.is_large_binary(arrow_type)
        else "values that are neither texts nor numbers"
    )
