"""Child process of ``parquet``: unpacks one file under ceilings on memory and CPU time and
writes its rows as lines of JSON.

Messages, in this order: ``{"columns": [names]}``; for each row ``[cells]``, each a text or a
list of texts, or ``{"column", "code", "problem"}`` for an unusable row; ``{"end": rows}``. Or
``{"error": code, "message"}`` at any time, and nothing after it. It is a script that uses the
standard library and pyarrow only, so that it starts fast and has nothing to leak.
"""

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_MEMORY_BYTES = 2 * 1024**3
"""Ceiling on address space: pyarrow maps about 0.5 GB, and the decompressed limit is added to
it.
"""
MAX_CPU_SECONDS = 120
BATCH_ROWS = 256
"""Rows unpacked at a time. Repeated values are kept as a dictionary, so a batch costs no more
than its distinct values.
"""


class ParquetError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def main(path: str, limits: dict[str, int]) -> None:
    _set_resource_limits()
    try:
        _send_rows(path, limits)
    except ParquetError as refused:
        _send_message({"error": refused.code, "message": refused.message})
    except MemoryError:
        _send_message(
            {
                "error": "decompressed_too_large",
                "message": "The file needs more memory to unpack than is allowed.",
            }
        )


def _set_resource_limits() -> None:
    # before pyarrow is loaded: one thread and the plain allocator, so that no address space is
    # reserved
    os.environ.update(ARROW_DEFAULT_MEMORY_POOL="system", OMP_NUM_THREADS="1", ARROW_IO_THREADS="1")
    try:
        import resource
    except ImportError:  # not a Unix
        return
    for kind, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(
            ValueError, OSError
        ):  # a lower limit is already in force, or the system has none of this kind
            resource.setrlimit(kind, (most, most))


def _send_rows(path: str, limits: dict[str, int]) -> None:
    import pyarrow as pa

    try:
        file = _open_parquet(path, limits)
        names = file.schema_arrow.names
        _send_message({"columns": names})
        count = 0
        for row in _iterate_rows(file, limits):
            count += 1
            if count > limits["max_rows"]:
                raise ParquetError(
                    "too_many_rows",
                    f"The file has more than {limits['max_rows']:,} rows. Upload a sample of them.",
                )
            _send_message(_build_row_message(row, names, limits))
        _send_message({"end": count})
    except MemoryError:
        raise
    except UnicodeDecodeError:
        raise ParquetError(
            "encoding_not_utf8", "A text column contains bytes that are not UTF-8."
        ) from None
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        raise ParquetError(
            "parquet_malformed", "The file begins like a Parquet file but cannot be read as one."
        ) from None


def _open_parquet(path: str, limits: dict[str, int]) -> Any:
    """Open the file unless its footer is unacceptable; what the footer hides is caught while
    unpacking.
    """
    import pyarrow.parquet as pq

    options: dict[str, Any] = {
        "memory_map": False,
        "pre_buffer": False,
        "arrow_extensions_enabled": False,
    }
    options |= {"thrift_string_size_limit": 16 * 1024**2, "thrift_container_size_limit": 1_000_000}
    file = pq.ParquetFile(path, **options)
    schema = file.schema_arrow
    if len(schema) == 0:
        raise ParquetError("parquet_malformed", "The file has no columns.")
    if len(schema) > limits["max_columns"]:
        raise ParquetError(
            "too_many_columns",
            f"The file has {len(schema):,} columns, but at most {limits['max_columns']:,} are allowed.",
        )
    for index, field in enumerate(schema):
        if not _is_scalar_type(field.type) and not _is_label_list_type(field.type):
            raise ParquetError(
                "parquet_column_not_supported",
                f"Column {index} contains {_describe_type(field.type)}. Remove the column.",
            )
    groups = [
        file.metadata.row_group(index).total_byte_size
        for index in range(file.metadata.num_row_groups)
    ]
    if sum(groups) > limits["max_decompressed_bytes"]:
        raise _make_size_error(limits)
    texts = [field.name for field in schema if _is_text_type(field.type)]
    return pq.ParquetFile(path, read_dictionary=texts, **options)


def _iterate_rows(file: Any, limits: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    spent = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        columns = [_list_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            spent += sum(_measure_value(value) for value in row)
            if spent > limits["max_decompressed_bytes"]:
                raise _make_size_error(limits)
            yield row


def _measure_value(value: Any) -> int:
    if isinstance(value, list):
        return sum(1 + _measure_value(item) for item in value)
    return len(value) if isinstance(value, str) else 0


def _list_values(column: Any) -> list[Any]:
    """Iterate over one value per row. Texts come as a dictionary, and equal ones stay one
    object.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        distinct = _list_values(column.dictionary)
        return [None if index is None else distinct[index] for index in column.indices.to_pylist()]
    if pa.types.is_floating(column.type):
        # Arrow writes the shortest text that gives the same number in the column's precision:
        # 3.8, not 3.799999952316284
        return [
            None if text is None else float(text) for text in column.cast(pa.string()).to_pylist()
        ]
    if (
        _is_label_list_type(column.type)
        or _is_text_type(column.type)
        or pa.types.is_boolean(column.type)
        or pa.types.is_integer(column.type)
    ):
        return list(column.to_pylist())
    return list(column.cast(pa.string()).to_pylist())


def _build_row_message(
    row: tuple[Any, ...], names: list[str], limits: dict[str, int]
) -> list[Any] | dict[str, str]:
    """Return the row's cells, or the problem of the first value that cannot be a cell."""
    cells: list[Any] = []
    for name, value in zip(names, row, strict=True):
        if isinstance(value, list) and None in value:
            return {
                "column": name[:40],
                "code": "nested_value",
                "problem": "The list contains a null.",
            }
        if isinstance(value, float) and not math.isfinite(value):
            return {
                "column": name[:40],
                "code": "invalid_number",
                "problem": "NaN and infinity are not allowed. Use null for a missing value.",
            }
        cell = _format_cell(value)
        texts = cell if isinstance(cell, list) else [cell]
        if any("\0" in text for text in texts):
            return {
                "column": name[:40],
                "code": "invalid_text",
                "problem": "The text contains a NUL character.",
            }
        if sum(map(len, texts)) + len(texts) > limits["max_cell_chars"] + 1:
            raise ParquetError(
                "field_too_large", f"A value has more than {limits['max_cell_chars']:,} characters."
            )
        cells.append(cell)
    return cells


def _format_cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, list):
        return [_format_cell(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (
            str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        )  # as cells.float_text
    return str(value)


def _is_text_type(arrow_type: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(arrow_type):
        return _is_text_type(arrow_type.value_type)
    return bool(
        types.is_string(arrow_type)
        or types.is_large_string(arrow_type)
        or types.is_string_view(arrow_type)
    )


def _is_scalar_type(arrow_type: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(arrow_type):
        return _is_scalar_type(arrow_type.value_type)
    flat = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_decimal,
        types.is_date,
        types.is_timestamp,
        types.is_null,
    )
    return _is_text_type(arrow_type) or any(test(arrow_type) for test in flat)


def _is_label_list_type(arrow_type: Any) -> bool:
    """Types of list elements that a label may have; lists of fractions are vectors."""
    import pyarrow.types as types

    if not (types.is_list(arrow_type) or types.is_large_list(arrow_type)):
        return False
    item = arrow_type.value_type
    return (
        _is_text_type(item)
        or types.is_integer(item)
        or types.is_boolean(item)
        or types.is_null(item)
    )


def _describe_type(arrow_type: Any) -> str:
    import pyarrow.types as types

    if types.is_nested(arrow_type):
        return "structs, vectors, or lists of values other than texts, integers and booleans"
    return (
        "bytes"
        if types.is_binary(arrow_type) or types.is_large_binary(arrow_type)
        else "values that are neither texts nor numbers"
    )


def _make_size_error(limits: dict[str, int]) -> ParquetError:
    megabytes = limits["max_decompressed_bytes"] // 1024**2
    return ParquetError(
        "decompressed_too_large", f"The file unpacks to more than {megabytes:,} MB."
    )


def _send_message(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def _run_child() -> NoReturn:
    main(sys.argv[1], json.loads(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # tearing pyarrow down costs time and may fail under the memory ceiling


if __name__ == "__main__":
    _run_child()
