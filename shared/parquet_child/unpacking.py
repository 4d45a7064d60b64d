"""Reading of a Parquet file in small batches, within limits that its footer cannot circumvent."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from shared.parquet_child.arrow_types import (
    describe_type,
    is_label_list_type,
    is_scalar_type,
    is_text_type,
)
from shared.parquet_child.errors import ParquetError, make_size_error

BATCH_ROWS = 256
"""Rows unpacked at a time. Repeated values are kept as a dictionary, so a batch costs no more
than its distinct values.
"""
READER_OPTIONS: dict[str, Any] = {
    "memory_map": False,
    "pre_buffer": False,
    "arrow_extensions_enabled": False,
    "thrift_string_size_limit": 16 * 1024**2,
    "thrift_container_size_limit": 1_000_000,
}


def open_parquet(path: str, limits: dict[str, int]) -> Any:
    """Open the file unless its footer is unacceptable; what the footer hides is caught while
    unpacking.
    """
    file = pq.ParquetFile(path, **READER_OPTIONS)
    _check_columns(file.schema_arrow, limits)
    groups = range(file.metadata.num_row_groups)
    unpacked_bytes = sum(file.metadata.row_group(index).total_byte_size for index in groups)
    if unpacked_bytes > limits["max_decompressed_bytes"]:
        raise make_size_error(limits)
    texts = [field.name for field in file.schema_arrow if is_text_type(field.type)]
    return pq.ParquetFile(path, read_dictionary=texts, **READER_OPTIONS)


def _check_columns(schema: Any, limits: dict[str, int]) -> None:
    if len(schema) == 0:
        raise ParquetError("parquet_malformed", "The file has no columns.")
    if len(schema) > limits["max_columns"]:
        raise ParquetError(
            "too_many_columns",
            f"The file has {len(schema):,} columns, but at most {limits['max_columns']:,} are "
            "allowed.",
        )
    for index, field in enumerate(schema):
        if not is_scalar_type(field.type) and not is_label_list_type(field.type):
            raise ParquetError(
                "parquet_column_not_supported",
                f"Column {index} contains {describe_type(field.type)}. Remove the column.",
            )


def iterate_rows(file: Any, limits: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    spent = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        columns = [_list_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            spent += sum(_measure_value(value) for value in row)
            if spent > limits["max_decompressed_bytes"]:
                raise make_size_error(limits)
            yield row


def _measure_value(value: Any) -> int:
    if isinstance(value, list):
        return sum(1 + _measure_value(item) for item in value)
    return len(value) if isinstance(value, str) else 0


def _list_values(column: Any) -> list[Any]:
    """List one value per row. Texts come as a dictionary, and equal ones stay one object."""
    if types.is_dictionary(column.type):
        distinct = _list_values(column.dictionary)
        return [None if index is None else distinct[index] for index in column.indices.to_pylist()]
    if types.is_floating(column.type):
        # Arrow writes the shortest text that gives the same number in the column's precision:
        # 3.8, not 3.799999952316284
        texts = column.cast(pa.string()).to_pylist()
        return [None if text is None else float(text) for text in texts]
    if _has_plain_values(column.type):
        return list(column.to_pylist())
    return list(column.cast(pa.string()).to_pylist())


def _has_plain_values(arrow_type: Any) -> bool:
    """Whether Python's values of this type are cells as they are; others are cast to text."""
    return (
        is_label_list_type(arrow_type)
        or is_text_type(arrow_type)
        or types.is_boolean(arrow_type)
        or types.is_integer(arrow_type)
    )
