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
from typing import IO, Any, NamedTuple

from shared.datasets.class_names import ClassNames, parse_parquet_features
from shared.datasets.errors import (
    DecompressedTooLarge,
    EmptyFile,
    EncodingNotUtf8,
    ParquetColumnNotSupported,
    ParquetMalformed,
    TooManyColumns,
    TooManyRows,
    UnreadableFile,
)
from shared.datasets.readers.cells import ListCell
from shared.datasets.readers.rows import Limits, RowCollector
from shared.datasets.readers.unreadable import CellProblem, UnreadableCell, build_long_cell
from shared.infra.child_process import build_module_environment

INHERITED_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TZ")
"""Environment variables that the child may need; passwords and keys are not among them."""

ERRORS_BY_CODE: dict[str, type[UnreadableFile]] = {
    kind.code: kind
    for kind in (
        DecompressedTooLarge,
        EncodingNotUtf8,
        ParquetColumnNotSupported,
        ParquetMalformed,
        TooManyColumns,
        TooManyRows,
    )
}


class ParquetColumns(NamedTuple):
    """The columns of a file."""

    names: tuple[str, ...]
    class_names: dict[int, ClassNames]
    """Label names by column, where the file gives them; the rows have them already."""


def read_parquet(path: Path, limits: Limits, collector: RowCollector) -> ParquetColumns:
    """Read a file through the child into the collector and return the columns."""
    _check_footer(path)
    with _start_child(path, limits) as child:
        assert child.stdout is not None
        try:
            columns = _receive_rows(child.stdout, collector)
        finally:
            child.kill()  # after an error it must stop unpacking
    if columns is None:
        raise ParquetMalformed(
            "The file could not be unpacked within the limits of memory and time. It may be "
            "damaged."
        )
    if collector.total_rows == 0:
        raise EmptyFile("The file has no rows.")
    return columns


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


def _receive_rows(messages: IO[bytes], collector: RowCollector) -> ParquetColumns | None:
    """Return the columns; None if the child died before it had sent everything."""
    builder = _RowBuilder({"columns": [], "unread": {}, "features": None}, collector.limits)
    for message in _iterate_messages(messages):
        match message:
            case {"columns": _}:
                builder = _RowBuilder(message, collector.limits)
            case {"error": code, "message": text}:
                raise ERRORS_BY_CODE[code](text)
            case {"end": _}:
                return builder.columns
            case list():
                collector.add_row(builder.build_row(message), None)
    return None


class _RowBuilder:
    """Puts the values that the child sends into the columns of the file."""

    def __init__(self, header: dict[str, Any], limits: Limits) -> None:
        self._limits = limits
        names = tuple(header["columns"])
        unread = {int(index): _build_unreadable(found) for index, found in header["unread"].items()}
        self._template: list[str] = [unread.get(index, "") for index in range(len(names))]
        self._read = [index for index in range(len(names)) if index not in unread]
        by_name = parse_parquet_features(header["features"])
        self.columns = ParquetColumns(
            names,
            {index: by_name[names[index]] for index in self._read if names[index] in by_name},
        )

    def build_row(self, values: list[Any]) -> tuple[str, ...]:
        cells = self._template.copy()
        for index, value in zip(self._read, values, strict=True):
            class_names = self.columns.class_names.get(index)
            if class_names is None and type(value) is str:
                cells[index] = value
            else:
                cells[index] = self._build_cell(value, class_names or {})
        return tuple(cells)

    def _build_cell(
        self, value: str | list[str] | int | dict[str, str], class_names: ClassNames
    ) -> str:
        match value:
            case str():
                return class_names.get(value, value)
            case list():
                return ListCell.from_values(class_names.get(item, item) for item in value)
            case int():
                return build_long_cell(value, self._limits)
            case _:
                return _build_unreadable(value)


def _build_unreadable(problem: dict[str, str]) -> UnreadableCell:
    return UnreadableCell.from_problem(CellProblem(**problem))


def _iterate_messages(messages: IO[bytes]) -> Iterator[Any]:
    for line in messages:
        if line.endswith(b"\n"):  # a killed child may leave half a line
            yield json.loads(line)
