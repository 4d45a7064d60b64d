"""Parquet reader that unpacks in a limited child process.

A Parquet file of 1.5 kB can unpack to gigabytes, its page headers may lie about sizes, and a
crafted one may crash the C++ code that reads it. The child (``shared.parquet_child``) has
ceilings on memory and CPU time, sends each row as one line of JSON, and can only crash itself.
This process also avoids pyarrow's 100 MB.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from shared.datasets.errors import (
    DecompressedTooLarge,
    EmptyFile,
    EncodingNotUtf8,
    FieldTooLarge,
    ParquetColumnNotSupported,
    ParquetMalformed,
    TooManyColumns,
    TooManyRows,
    UnreadableFile,
)
from shared.datasets.readers.cells import ListCell
from shared.datasets.readers.rows import Limits, RowCollector
from shared.infra.child_process import build_module_environment

INHERITED_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TZ")
"""Environment variables that the child may need; passwords and keys are not among them."""

ERRORS_BY_CODE: dict[str, type[UnreadableFile]] = {
    kind.code: kind
    for kind in (
        DecompressedTooLarge,
        EncodingNotUtf8,
        FieldTooLarge,
        ParquetColumnNotSupported,
        ParquetMalformed,
        TooManyColumns,
        TooManyRows,
    )
}


def read_parquet(path: Path, limits: Limits, collector: RowCollector) -> tuple[str, ...]:
    """Read a file through the child into the collector and return the column names."""
    _check_footer(path)
    with _start_child(path, limits) as child:
        assert child.stdout is not None
        try:
            names = _receive_rows(child.stdout, collector)
        finally:
            child.kill()  # after an error it must stop unpacking
    if names is None:
        raise ParquetMalformed(
            "The file could not be unpacked within the limits of memory and time. It may be "
            "damaged."
        )
    if collector.total_rows == 0:
        raise EmptyFile("The file has no rows.")
    return names


def _check_footer(path: Path) -> None:
    """Check the footer without a child: a broken upload loses the end of a Parquet file first."""
    with path.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 4, 0))
        end = file.read()
    if end != b"PAR1":
        raise ParquetMalformed(
            "The file begins like a Parquet file but does not end like one. It is incomplete, "
            "or its footer is encrypted."
        )


def _start_child(path: Path, limits: Limits) -> subprocess.Popen[bytes]:
    arguments = [str(path.absolute()), json.dumps(asdict(limits))]
    inherited = {name: os.environ[name] for name in INHERITED_ENVIRONMENT if name in os.environ}
    # UTF-8 mode: column names can be written whatever the locale
    environment = inherited | build_module_environment() | {"PYTHONUTF8": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "shared.parquet_child", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _receive_rows(messages: IO[bytes], collector: RowCollector) -> tuple[str, ...] | None:
    """Return the names; None if the child died before it had sent everything."""
    names: tuple[str, ...] = ()
    for message in _iterate_messages(messages):
        match message:
            case {"columns": columns}:
                names = tuple(columns)
            case {"column": column, "code": code, "problem": problem}:
                collector.reject_row(None, column, code, problem)
            case {"error": code, "message": text}:
                raise ERRORS_BY_CODE[code](text)
            case {"end": _}:
                return names
            case list():
                collector.add_row(tuple(map(_parse_cell, message)), None)
    return None


def _parse_cell(cell: str | list[str]) -> str:
    return ListCell.from_values(cell) if isinstance(cell, list) else cell


def _iterate_messages(messages: IO[bytes]) -> Iterator[Any]:
    for line in messages:
        if line.endswith(b"\n"):  # a killed child may leave half a line
            yield json.loads(line)
