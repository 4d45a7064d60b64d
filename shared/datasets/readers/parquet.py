"""Parquet, unpacked by a child process with limits of its own.

A Parquet file of 1.5 kB can unpack to gigabytes, its page headers may lie about sizes, and a crafted one may crash the C++ code
that reads it. So the reading process is never this one: the child (``parquet_child``) has a ceiling on memory and CPU time, sends
each row as one line of JSON, and takes only itself down. This process does without pyarrow's 100 MB as well.
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

CHILD = Path(__file__).with_name("parquet_child.py")

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TZ")
"""Environment variables that the child may need; passwords and keys are not among them."""

ERRORS: dict[str, type[UnreadableFile]] = {
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


def read_parquet(path: Path, limits: Limits, rows: RowCollector) -> tuple[str, ...]:
    """Fills the collector and tells the names."""
    _refuse_open_end(path)
    with _child(path, limits) as child:
        assert child.stdout is not None
        try:
            names = _receive(child.stdout, rows)
        finally:
            child.kill()  # after a complete answer it has nothing left to do; after an error it must not go on unpacking
    if names is None:
        raise ParquetMalformed(
            "The file could not be unpacked within the limits of memory and time; it may be damaged."
        )
    if rows.total == 0:
        raise EmptyFile("The file has no rows.")
    return names


def _refuse_open_end(path: Path) -> None:
    """What needs no child: the footer at the end is the part of a Parquet file that a broken upload loses first."""
    with path.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 4, 0))
        end = file.read()
    if end != b"PAR1":
        raise ParquetMalformed(
            "The file begins like Parquet but does not end like it; it is cut short, or its footer is encrypted."
        )


def _child(path: Path, limits: Limits) -> subprocess.Popen[bytes]:
    # -P: the folder of the script must not shadow the standard library. -X utf8: names, whatever the locale.
    command = [
        sys.executable,
        "-P",
        "-X",
        "utf8",
        str(CHILD),
        str(path.absolute()),
        json.dumps(asdict(limits)),
    ]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _receive(messages: IO[bytes], rows: RowCollector) -> tuple[str, ...] | None:
    """The names; None if the child died before it had sent everything."""
    names: tuple[str, ...] = ()
    for message in _decoded(messages):
        match message:
            case {"columns": columns}:
                names = tuple(columns)
            case {"column": column, "code": code, "problem": problem}:
                rows.refuse(None, column, code, problem)
            case {"error": code, "message": text}:
                raise ERRORS[code](text)
            case {"end": _}:
                return names
            case list():
                rows.keep(
                    tuple(
                        ListCell.of(cell) if isinstance(cell, list) else cell for cell in message
                    ),
                    None,
                )
    return None


def _decoded(messages: IO[bytes]) -> Iterator[Any]:
    for line in messages:
        if line.endswith(b"\n"):  # a child that was killed may leave half a line
            yield json.loads(line)
