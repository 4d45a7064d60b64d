"""The files of a split as one file of JSON Lines: rows in the files' order, cells as they would be read from an upload."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from shared.datasets import Limits, Table, UnreadableFile, read_table
from shared.datasets.errors import DecompressedTooLarge, TooManyCells, TooManyRows
from shared.datasets.readers.cells import ListCell
from shared.domain.errors import DatasetTooLarge, InvalidValue, UnsupportedMediaType


class JoinedRows:
    """Writes what is added to it; equal rows give equal bytes."""

    def __init__(
        self, target: BinaryIO, names: Mapping[str, Mapping[str, str]], limits: Limits, param: str
    ) -> None:
        self._packed = gzip.GzipFile(
            filename="", mode="wb", compresslevel=6, fileobj=target, mtime=0
        )
        self._names = names
        self._limits = limits
        self._param = param
        self._columns: Sequence[str] | None = None
        self._rows = 0
        self._bytes = 0

    def close(self) -> None:
        self._packed.close()

    def add(self, path: Path, name: str) -> None:
        """Raises InvalidValue for a file that is no table, has a row that cannot be read, or other columns; DatasetTooLarge."""
        table = self._read(path, name)
        columns = self._columns_of(table, name)
        if self._columns is None:
            self._columns = columns
        if columns != self._columns:
            raise InvalidValue(
                f"{name} has other columns than the split's first file.", param=self._param
            )
        self._rows += len(table.rows)
        if self._rows > self._limits.max_rows:
            raise DatasetTooLarge(
                f"The split has more than {self._limits.max_rows:,} rows.", param=self._param
            )
        label_names = [self._names.get(column, {}) for column in columns]
        for row in table.rows:
            cells = {
                column: cell.values() if isinstance(cell, ListCell) else known.get(cell, cell)
                for column, known, cell in zip(columns, label_names, row, strict=True)
            }
            self._write(json.dumps(cells, ensure_ascii=False).encode() + b"\n")

    def _read(self, path: Path, name: str) -> Table:
        try:
            table = read_table(path, name, limits=self._limits)
        except (TooManyRows, TooManyCells, DecompressedTooLarge) as error:
            raise DatasetTooLarge(f"{name}: {error.message}", param=self._param) from None
        except (UnreadableFile, UnsupportedMediaType) as error:
            raise InvalidValue(
                f"{name} cannot be read: {error.message}", param=self._param
            ) from None
        if table.problems:
            first = table.problems[0]
            raise InvalidValue(
                f"{name}, row {first.row} cannot be read: {first.message}", param=self._param
            )
        return table

    def _columns_of(self, table: Table, name: str) -> list[str]:
        if table.columns is None:
            raise InvalidValue(
                f"{name} does not name its columns; upload it, and say in the task which they are.",
                param=self._param,
            )
        columns = [column or f"column {index}" for index, column in enumerate(table.columns)]
        if len(set(columns)) < len(columns):
            raise InvalidValue(f"{name} has two columns of the same name.", param=self._param)
        return columns

    def _write(self, line: bytes) -> None:
        self._bytes += len(line)
        if self._bytes > self._limits.max_decompressed_bytes:
            most = self._limits.max_decompressed_bytes >> 20
            raise DatasetTooLarge(
                f"The split has more than {most:,} MB of text.", param=self._param
            )
        self._packed.write(line)
