"""The files of a split as one file of JSON Lines: rows in the files' order, cells as they would
be read from an upload.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from shared.datasets import Limits, Table, UnreadableFile, read_table
from shared.datasets.errors import DecompressedTooLarge, TooManyCells, TooManyRows
from shared.datasets.readers.cells import ListCell
from shared.domain.errors import DatasetTooLarge, InvalidValue, UnsupportedMediaType


class JoinedRowsWriter:
    """Writes what is added to it; equal rows give equal bytes."""

    def __init__(
        self,
        target: BinaryIO,
        class_names: Mapping[str, Mapping[str, str]],
        limits: Limits,
        param: str,
    ) -> None:
        self._gzip_file = gzip.GzipFile(
            filename="", mode="wb", compresslevel=6, fileobj=target, mtime=0
        )
        self._class_names = class_names
        self._limits = limits
        self._param = param
        self._columns: Sequence[str] | None = None
        self._row_count = 0
        self._byte_count = 0

    def close(self) -> None:
        self._gzip_file.close()

    def add_file(self, path: Path, filename: str) -> None:
        """Raises InvalidValue for a file that is no table, has a row that cannot be read, or
        other columns; DatasetTooLarge.
        """
        table = self._read_file(path, filename)
        columns = self._list_columns(table, filename)
        if self._columns is None:
            self._columns = columns
        if columns != self._columns:
            raise InvalidValue(
                f"{filename} has other columns than the split's first file.", param=self._param
            )
        self._row_count += len(table.rows)
        if self._row_count > self._limits.max_rows:
            raise DatasetTooLarge(
                f"The split has more than {self._limits.max_rows:,} rows.", param=self._param
            )
        label_names = [self._class_names.get(column, {}) for column in columns]
        for row in table.rows:
            cells = {
                column: cell.parse_values() if isinstance(cell, ListCell) else known.get(cell, cell)
                for column, known, cell in zip(columns, label_names, row, strict=True)
            }
            self._write_line(json.dumps(cells, ensure_ascii=False).encode() + b"\n")

    def _read_file(self, path: Path, filename: str) -> Table:
        try:
            table = read_table(path, filename, limits=self._limits)
        except (TooManyRows, TooManyCells, DecompressedTooLarge) as error:
            raise DatasetTooLarge(f"{filename}: {error.message}", param=self._param) from None
        except (UnreadableFile, UnsupportedMediaType) as error:
            raise InvalidValue(
                f"{filename} cannot be read: {error.message}", param=self._param
            ) from None
        if table.problems:
            first = table.problems[0]
            raise InvalidValue(
                f"{filename}, row {first.row} cannot be read: {first.message}", param=self._param
            )
        return table

    def _list_columns(self, table: Table, filename: str) -> list[str]:
        if table.columns is None:
            raise InvalidValue(
                (
                    f"{filename} does not name its columns; upload it, and say in the task "
                    "which they are."
                ),
                param=self._param,
            )
        columns = [column or f"column {index}" for index, column in enumerate(table.columns)]
        if len(set(columns)) < len(columns):
            raise InvalidValue(f"{filename} has two columns of the same name.", param=self._param)
        return columns

    def _write_line(self, line: bytes) -> None:
        self._byte_count += len(line)
        if self._byte_count > self._limits.max_decompressed_bytes:
            most = self._limits.max_decompressed_bytes >> 20
            raise DatasetTooLarge(
                f"The split has more than {most:,} MB of text.", param=self._param
            )
        self._gzip_file.write(line)
