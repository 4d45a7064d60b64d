"""Entry point: ``python -m shared.parquet_child PATH LIMITS``, where LIMITS is JSON."""

import contextlib
import json
import os
import sys
from typing import NoReturn

from shared.parquet_child.errors import ParquetError

MAX_MEMORY_BYTES = 2 * 1024**3
"""Ceiling on address space: pyarrow maps about 0.5 GB, and the decompressed limit is added to
it.
"""
MAX_CPU_SECONDS = 120


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
        # a lower limit is already in force, or the system has none of this kind
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _send_rows(path: str, limits: dict[str, int]) -> None:
    import pyarrow as pa  # after the limits are set

    try:
        _send_table(path, limits)
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


def _send_table(path: str, limits: dict[str, int]) -> None:
    from shared.parquet_child.cells import build_row_message
    from shared.parquet_child.unpacking import ParquetTable

    table = ParquetTable(path, limits)
    _send_message({"columns": table.names, "unread": table.unread, "features": table.features})
    count = 0
    for row in table.iterate_rows():
        count += 1
        if count > limits["max_rows"]:
            raise ParquetError(
                "too_many_rows",
                f"The file has more than {limits['max_rows']:,} rows. Upload a sample of them.",
            )
        _send_message(build_row_message(row, limits))
    _send_message({"end": count})


def _send_message(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")


def _run_child() -> NoReturn:
    main(sys.argv[1], json.loads(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # tearing pyarrow down costs time and may fail under the memory ceiling


if __name__ == "__main__":
    _run_child()
