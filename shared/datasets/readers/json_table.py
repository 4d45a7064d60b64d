"""Objects as rows: keys are columns, values are texts, numbers, booleans or lists of these
(labels).

Anything but an object makes the file malformed. An unsuitable value becomes an unreadable cell,
which hinders only a task that uses its column. Chats become rows of text and label.
"""

from collections.abc import Iterable

from shared.datasets.errors import EmptyFile, FieldTooLarge, TooManyColumns
from shared.datasets.readers.cells import format_name
from shared.datasets.readers.chat import ChatReader, get_messages
from shared.datasets.readers.json_cells import (
    INVALID_TEXT,
    REPEATED_KEY,
    CellError,
    Members,
    format_cell,
    is_encodable_text,
)
from shared.datasets.readers.json_records import JsonRecord
from shared.datasets.readers.rows import Limits, RowCollector
from shared.datasets.readers.unreadable import UnreadableCell, build_long_cell


class JsonTableReader:
    """One pass over a file's objects."""

    def __init__(self, records: Iterable[JsonRecord], limits: Limits) -> None:
        self._records = records
        self._limits = limits
        self._column_indices: dict[str, int] = {}
        self._chat_reader = ChatReader()

    @property
    def omitted_context_count(self) -> int:
        """Chats with more before the last question than all others have."""
        return self._chat_reader.omitted_context_count

    def read_rows(self, collector: RowCollector) -> tuple[str, ...]:
        """Read the rows into the collector and return all keys in order of first appearance; a
        missing key is an empty cell.
        """
        for record in self._records:
            try:
                cells = self._parse_cells(record)
            except CellError as unfit:
                collector.reject_row(record.line, unfit.column, unfit.code, unfit.message)
            else:
                collector.add_row(tuple(collector.share_cells(cells)), record.line)
        if collector.total_rows == 0:
            raise EmptyFile("The file has no rows.")
        self._pad_rows(collector)
        return tuple(self._column_indices)

    def _pad_rows(self, collector: RowCollector) -> None:
        """Give rows that were read before a key first appeared an empty cell for it."""
        width = len(self._column_indices)
        if width * len(collector.rows) > self._limits.max_cells:
            raise TooManyColumns(
                f"The objects have {width:,} different keys in total, too many columns for "
                f"{len(collector.rows):,} rows. Remove the keys that are not needed."
            )
        collector.rows[:] = (
            cells if len(cells) == width else cells + ("",) * (width - len(cells))
            for cells in collector.rows
        )

    def _parse_cells(self, record: JsonRecord) -> tuple[str, ...]:
        messages = get_messages(record.members)
        values = self._parse_values(
            record,
            record.members if messages is None else self._chat_reader.parse_example(messages),
        )
        for key in values:
            self._column_indices.setdefault(key, len(self._column_indices))
        if len(self._column_indices) > self._limits.max_columns:
            raise TooManyColumns(
                f"{record.location} raises the number of different keys above "
                f"{self._limits.max_columns:,}. Remove the keys that are not needed."
            )
        cells = [""] * len(self._column_indices)
        for key, cell in values.items():
            cells[self._column_indices[key]] = cell
        return tuple(cells)

    def _parse_values(self, record: JsonRecord, members: Members) -> dict[str, str]:
        values: dict[str, str] = {}
        for key, value in members:
            self._check_key(record, key)
            if key in values:
                values[key] = UnreadableCell.from_problem(REPEATED_KEY)
            elif record.has_escapes and not is_encodable_text(value):
                values[key] = UnreadableCell.from_problem(INVALID_TEXT)
            else:
                cell = format_cell(value)
                is_long = len(cell) > self._limits.max_cell_chars
                values[key] = build_long_cell(len(cell), self._limits) if is_long else cell
        return values

    def _check_key(self, record: JsonRecord, key: str) -> None:
        if record.has_escapes and not is_encodable_text(key):
            raise CellError(format_name(repr(key)), *INVALID_TEXT)
        if len(key) > self._limits.max_cell_chars:
            raise FieldTooLarge(
                f"{record.location} has a key of more than {self._limits.max_cell_chars:,} "
                "characters."
            )
