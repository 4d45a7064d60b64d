"""Objects as rows: their keys the columns, their values single texts, numbers or booleans, or lists of these (labels).

What is no object makes the file malformed; an object whose values do not fit makes a row problem. Chats become rows of text and label.
"""

from collections.abc import Iterable

from shared.datasets.errors import EmptyFile, FieldTooLarge, TooManyColumns
from shared.datasets.readers.cells import shown
from shared.datasets.readers.chat import ChatRows, messages_of
from shared.datasets.readers.json_cells import Members, Unfit, cell_of, is_text
from shared.datasets.readers.json_records import Record
from shared.datasets.readers.rows import Limits, RowCollector


class Objects:
    """One pass over a file's objects: ``read`` fills the collector and tells the names."""

    def __init__(self, records: Iterable[Record], limits: Limits) -> None:
        self._records = records
        self._limits = limits
        self._places: dict[str, int] = {}
        self._chat = ChatRows()

    @property
    def context_left_out(self) -> int:
        """Chats with more before the last question than all others have."""
        return self._chat.context_left_out

    def read(self, rows: RowCollector) -> tuple[str, ...]:
        """The union of all keys, in the order of their first appearance; a key that a row lacks is an empty cell there."""
        for record in self._records:
            try:
                cells = self._cells(record)
            except Unfit as unfit:
                rows.refuse(record.line, unfit.column, unfit.code, unfit.message)
            else:
                rows.keep(cells, record.line)
        if rows.total == 0:
            raise EmptyFile("The file has no rows.")
        width = len(self._places)
        if width * len(rows.rows) > self._limits.max_cells:
            raise TooManyColumns(
                f"The objects have {width:,} different keys together, too many for so many rows."
            )
        rows.rows[:] = (
            cells if len(cells) == width else cells + ("",) * (width - len(cells))
            for cells in rows.rows
        )
        return tuple(self._places)

    def _cells(self, record: Record) -> tuple[str, ...]:
        messages = messages_of(record.members)
        values = self._values(
            record, record.members if messages is None else self._chat.example(messages)
        )
        for key in values:
            self._places.setdefault(key, len(self._places))
        if len(self._places) > self._limits.max_columns:
            raise TooManyColumns(
                f"{record.place} brings the number of different keys above {self._limits.max_columns:,}."
            )
        cells = [""] * len(self._places)
        for key, cell in values.items():
            cells[self._places[key]] = cell
        return tuple(cells)

    def _values(self, record: Record, members: Members) -> dict[str, str]:
        most = self._limits.max_cell_chars
        values: dict[str, str] = {}
        for key, value in members:
            if record.escaped and not (is_text(key) and is_text(value)):
                raise Unfit(
                    shown(repr(key)), "invalid_text", "The text has a NUL or half a surrogate pair."
                )
            if key in values:
                raise Unfit(shown(key), "duplicate_key", "The object has this key twice.")
            values[key] = cell_of(key, value)
            if max(len(values[key]), len(key)) > most:
                raise FieldTooLarge(f"{record.place} has a value of more than {most:,} characters.")
        return values
