"""Reading of a Parquet file in small batches, within limits that its footer cannot circumvent."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from shared.parquet_child.arrow_types import (
    count_leaves,
    describe_problem,
    is_label_list_type,
    is_readable_type,
    is_text_type,
)
from shared.parquet_child.errors import ParquetError, make_size_error

MAX_NAME_CHARS = 40
"""Longest part of a column name that a message repeats."""
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


MAX_METADATA_BYTES = 4 * 1024**2
"""Longest description of a data set's features that is looked at."""


class ParquetTable:
    """An open file whose readable columns are unpacked; the others are never touched."""

    def __init__(self, path: str, limits: dict[str, int]) -> None:
        """Open the file unless its footer is unacceptable; what the footer hides is caught while
        unpacking.
        """
        self._limits = limits
        file = pq.ParquetFile(path, **READER_OPTIONS)
        schema = file.schema_arrow
        _check_width(schema, limits)
        self.names: list[str] = schema.names
        self.unread = {
            index: describe_problem(field.type)
            for index, field in enumerate(schema)
            if not is_readable_type(field.type)
        }
        if len(self.unread) == len(schema):
            raise ParquetError(
                "parquet_column_not_supported",
                f"Column {schema.names[0][:MAX_NAME_CHARS]!r} cannot be read, and neither can any "
                f"other. {self.unread[0]['message']}",
            )
        self.features = _read_features(schema)
        self._leaves = _list_readable_leaves(schema, file.metadata.num_columns)
        self._check_size(file.metadata)
        texts = [field.name for field in schema if is_text_type(field.type)]
        self._file = pq.ParquetFile(path, read_dictionary=texts, **READER_OPTIONS)

    def _check_size(self, metadata: Any) -> None:
        unpacked_bytes = sum(
            metadata.row_group(index).column(leaf).total_uncompressed_size
            for index in range(metadata.num_row_groups)
            for leaf in self._leaves
        )
        if unpacked_bytes > self._limits["max_decompressed_bytes"]:
            raise make_size_error(self._limits)

    def iterate_rows(self) -> Iterator[tuple[Any, ...]]:
        """Iterate over the values of the readable columns."""
        spent = 0
        for batch in self._file.reader.iter_batches(
            BATCH_ROWS,
            row_groups=range(self._file.metadata.num_row_groups),
            column_indices=self._leaves,
            use_threads=False,
        ):
            columns = [_list_values(column) for column in batch.columns]
            for row in zip(*columns, strict=True):
                spent += sum(_measure_value(value) for value in row)
                if spent > self._limits["max_decompressed_bytes"]:
                    raise make_size_error(self._limits)
                yield row


def _check_width(schema: Any, limits: dict[str, int]) -> None:
    if len(schema) == 0:
        raise ParquetError("parquet_malformed", "The file has no columns.")
    if len(schema) > limits["max_columns"]:
        raise ParquetError(
            "too_many_columns",
            f"The file has {len(schema):,} columns, but at most {limits['max_columns']:,} are "
            "allowed.",
        )


def _read_features(schema: Any) -> str | None:
    """Return what the ``datasets`` library writes about the columns, as it is."""
    features: bytes = (schema.metadata or {}).get(b"huggingface", b"")
    return features.decode() if 0 < len(features) <= MAX_METADATA_BYTES else None


def _list_readable_leaves(schema: Any, num_leaves: int) -> list[int]:
    """List the positions of the stored columns that readable columns consist of."""
    leaves: list[int] = []
    position = 0
    for field in schema:
        count = count_leaves(field.type)
        if is_readable_type(field.type):
            leaves += range(position, position + count)
        position += count
    if position != num_leaves:
        raise ParquetError("parquet_malformed", "The file's schema contradicts its columns.")
    return leaves


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
