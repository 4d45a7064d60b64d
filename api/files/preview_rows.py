"""The first rows of a table, tokenized; runs in a reading process."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, overload

from api.files.tokenization import TokenizedText, tokenize_texts
from shared.datasets import Table
from shared.datasets.columns import ColumnIndices, choose_columns, get_label_cells
from shared.datasets.readers.unreadable import UnreadableCell
from shared.datasets.task_resolution import check_header_is_clear
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest
from shared.domain.wording import format_count

MAX_TEXT_CHARACTERS = 2_000  # so that a preview of a hundred long documents stays small
MAX_TOKENIZED_CHARACTERS = 1_000_000
"""Characters of all rows of a preview, which take about a second."""

_INDEX_PATTERN = re.compile("[0-9]{1,4}")


class TokenizedRow(NamedTuple):
    number: int
    """Number of the data row, from 1."""
    text: str
    """The beginning of the text."""
    text_pair: str | None
    label: str
    tokens: TokenizedText


class TableSample(NamedTuple):
    """The columns that were read, and the first rows."""

    text_column: str | int
    text_pair_column: str | int | None
    label_column: str | int
    rows: list[TokenizedRow]


def tokenize_first_rows(
    table: Table,
    requested_columns: Mapping[str, str | None],
    count: int,
    model_folder: Path,
    max_seq_length: int,
) -> TableSample:
    """Tokenize the first ``count`` rows; ``requested_columns`` by field of the task.

    Raises InvalidValue for columns that do not exist or are ambiguous, and ModelNotAllowed for an
    unreadable tokenizer.
    """
    check_header_is_clear(table)
    columns = choose_columns(_build_task_request(requested_columns, table), table)
    rows = list(_iterate_rows(table, columns, count))
    _check_length(rows)
    tokenized = tokenize_texts(
        model_folder, [(text, pair) for _, text, pair, _ in rows], max_seq_length
    )
    return TableSample(
        text_column=table.get_column_reference(columns.text),
        text_pair_column=None if columns.pair is None else table.get_column_reference(columns.pair),
        label_column=table.get_column_reference(columns.label),
        rows=[
            TokenizedRow(number, _shorten(text), _shorten(pair), label, tokens)
            for (number, text, pair, label), tokens in zip(rows, tokenized, strict=True)
        ],
    )


def _check_length(rows: Sequence[tuple[int, str, str | None, str]]) -> None:
    """Raise InvalidValue for rows that take too long to tokenize."""
    characters = sum(len(text) + len(pair or "") for _, text, pair, _ in rows)
    if characters > MAX_TOKENIZED_CHARACTERS:
        raise InvalidValue(
            f"The {format_count(len(rows), 'row')} of the preview have {characters:,} characters, "
            f"more than the limit of {MAX_TOKENIZED_CHARACTERS:,}. Ask for fewer rows.",
            param="n",
        )


def _iterate_rows(
    table: Table, columns: ColumnIndices, count: int
) -> Iterator[tuple[int, str, str | None, str]]:
    labels = get_label_cells(table, columns.label)
    used = (*columns.list_text_columns(), columns.label)
    readable = (
        (number, row, label)
        for number, row, label in zip(table.row_numbers, table.rows, labels, strict=True)
        if not any(isinstance(row[column], UnreadableCell) for column in used)
    )
    for number, row, label in islice(readable, count):
        pair = None if columns.pair is None else str(row[columns.pair])
        yield number, str(row[columns.text]), pair, label


@overload
def _shorten(text: str) -> str: ...
@overload
def _shorten(text: None) -> None: ...
def _shorten(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT_CHARACTERS]


def _build_task_request(columns: Mapping[str, str | None], table: Table) -> TaskRequest:
    """Return the requested columns as a task; a number is an index unless a column is named so."""
    references = {
        field: int(name)
        if _INDEX_PATTERN.fullmatch(name) and name not in (table.columns or ())
        else name
        for field, name in columns.items()
        if name is not None
    }
    return TaskRequest.model_validate(references)
