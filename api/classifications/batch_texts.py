"""The texts of a file to classify; runs in a reading process."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.classifications.schemas import BatchRequest
from shared.datasets import Table
from shared.datasets.columns import find_column
from shared.datasets.readers.cells import ListCell
from shared.datasets.task_checks import check_cells, check_readable_rows, format_row_numbers
from shared.datasets.task_resolution import check_header_is_clear
from shared.domain.errors import InvalidValue
from shared.domain.task import ColumnReference, Task

if TYPE_CHECKING:
    from api.serving.classifier import Text

MAX_ROWS = 20_000  # a request lasts until all rows are done: two minutes at 170 texts a second


def read_texts(table: Table, task: Task, request: BatchRequest) -> "list[Text]":
    """Return every row's text or pair of texts. Raises InvalidValue with row numbers."""
    check_header_is_clear(table, "header")
    check_readable_rows(table, "input_file")
    _check_row_count(table.total_rows)
    first = _read_column(table, request.text_column or task.text_column, "text_column")
    if task.text_pair_column is None:
        if request.text_pair_column is not None:
            raise InvalidValue(
                "This model was trained on single texts; leave out text_pair_column.",
                param="text_pair_column",
            )
        return list(first)
    second = _read_column(
        table, request.text_pair_column or task.text_pair_column, "text_pair_column"
    )
    return list(zip(first, second, strict=True))


def _check_row_count(row_count: int) -> None:
    if row_count > MAX_ROWS:
        raise InvalidValue(
            f"The file has {row_count:,} rows, but the limit is {MAX_ROWS:,}; split it.",
            param="input_file",
        )


def _read_column(table: Table, column: ColumnReference, param: str) -> Sequence[str]:
    index = find_column(column, table, param)
    check_cells(table, index, param)
    cells = table.get_cells(index)
    empty_positions = [
        position
        for position, cell in enumerate(cells)
        if isinstance(cell, ListCell) or not cell.strip()
    ]
    if empty_positions:
        raise InvalidValue(
            f"{format_row_numbers(table, empty_positions)} no text in this column; "
            "add the text or remove the rows.",
            param=param,
        )
    return cells
