"""Joining of a split's files into one gzip-compressed file of JSON Lines."""

import gzip
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from shared.datasets import Limits, Table, UnreadableFile, read_table
from shared.datasets.class_names import ClassNames
from shared.datasets.errors import DecompressedTooLarge, TooManyCells, TooManyRows
from shared.datasets.readers.cells import ListCell
from shared.datasets.readers.unreadable import UnreadableCell
from shared.domain.errors import DatasetTooLarge, InvalidValue, UnsupportedMediaType


def join_files(
    shards: Sequence[tuple[Path, str]],
    target: Path,
    class_names: Mapping[str, Mapping[str, str]],
    limits: Limits,
    param: str,
) -> None:
    """Join files, each given by its path and name; runs in a reading process.

    Raises what ``JoinedRowsWriter.add_file`` raises.
    """
    with (
        target.open("wb") as output,
        closing(JoinedRowsWriter(output, class_names, limits, param)) as rows,
    ):
        for path, filename in shards:
            rows.add_file(path, filename)


def _build_value(cell: str, class_names: ClassNames) -> object:
    """Return the JSON value that the reader of an upload reads as this cell again."""
    if isinstance(cell, UnreadableCell):
        return {"unreadable": cell.problem.message}
    return cell.parse_values() if isinstance(cell, ListCell) else class_names.get(cell, cell)


class JoinedRowsWriter:
    """Writer of the rows of added files, in order; equal rows give equal bytes.

    Cells are written as the reader of an upload would return them.
    """

    def __init__(
        self,
        target: BinaryIO,
        class_names: Mapping[str, ClassNames],
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
        """Append the rows of a file.

        Raises DatasetTooLarge, and InvalidValue for a file that is not a table, has an unreadable
        row, or has other columns than the first file.
        """
        table = self._read_file(path, filename)
        columns = self._list_columns(table, filename)
        self._check_columns(columns, filename)
        self._row_count += len(table.rows)
        if self._row_count > self._limits.max_rows:
            raise DatasetTooLarge(
                f"The split has more than {self._limits.max_rows:,} rows; upload a sample of them "
                "as a file.",
                param=self._param,
            )
        self._write_rows(table, columns)

    def _check_columns(self, columns: Sequence[str], filename: str) -> None:
        if self._columns is None:
            self._columns = columns
        if columns != self._columns:
            raise InvalidValue(
                f"{filename} and the first file of the split have different columns.",
                param=self._param,
            )

    def _write_rows(self, table: Table, columns: Sequence[str]) -> None:
        class_names = [
            # a file that names its classes itself has been read with these names
            {} if index in table.class_names else self._class_names.get(column, {})
            for index, column in enumerate(columns)
        ]
        for row in table.rows:
            cells = {
                column: _build_value(cell, names)
                for column, names, cell in zip(columns, class_names, row, strict=True)
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
                f"{filename} has no column names; "
                "upload the file and name its columns by index in the task.",
                param=self._param,
            )
        columns = [column or f"column {index}" for index, column in enumerate(table.columns)]
        if len(set(columns)) < len(columns):
            raise InvalidValue(
                f"{filename} has two columns with the same name; rename one and upload the file.",
                param=self._param,
            )
        return columns

    def _write_line(self, line: bytes) -> None:
        self._byte_count += len(line)
        if self._byte_count > self._limits.max_decompressed_bytes:
            limit_mb = self._limits.max_decompressed_bytes >> 20
            raise DatasetTooLarge(
                f"The split has more than {limit_mb:,} MB of text; upload a sample of the rows.",
                param=self._param,
            )
        self._gzip_file.write(line)
