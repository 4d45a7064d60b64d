"""Choice of the text and label columns that a request leaves open, by the names of the columns.

Two candidates are a question, and so is a name whose column holds ids or dates.
"""

from collections.abc import Sequence

from shared.datasets.column_contents import (
    has_values,
    holds_ids_or_dates,
    holds_no_texts,
    holds_texts,
)
from shared.datasets.column_names import (
    is_not_text_name,
    list_companion_texts,
    list_label_candidates,
    list_text_candidates,
    normalize_name,
)
from shared.datasets.column_questions import make_ambiguity_error, make_not_text_error
from shared.datasets.readers.table import Table

Reading = tuple[int, int | None]
"""A text column, and that of the second text of a pair."""


def choose_label_column(table: Table, requested: set[int]) -> int:
    """Return the only possible label column. Raises ``InvalidValue`` with the candidates."""
    candidates = _list_labels(table, requested)
    if not candidates and table.width == 2 and len(requested) == 1:
        other = 1 - next(iter(requested))
        if not (table.columns and is_not_text_name(table.columns[other])):
            return other
    if len(candidates) != 1:
        raise make_ambiguity_error("label", candidates, table, "task.label_column")
    return candidates[0]


def _list_labels(table: Table, requested: set[int]) -> list[int]:
    names = list(table.columns or ())
    named = [column for column in list_label_candidates(names) if column not in requested]
    others = [
        column
        for column in named
        if normalize_name(names[column]) != "completion" or not holds_texts(table.get_cells(column))
    ]
    # beside a label, a completion is the text that the label is about
    return _prefer_filled(table, others or named)


def _prefer_filled(table: Table, columns: list[int]) -> list[int]:
    """Leave out the columns without a value, unless no other is left."""
    if len(columns) < 2:
        return columns
    return [column for column in columns if has_values(table.get_cells(column))] or columns


def choose_text_columns(table: Table, requested_pair: int | None, label: int) -> Reading:
    """Return the only possible text, and second text if there is one. Raises ``InvalidValue``
    with the candidates.
    """
    readings = _list_texts(table, requested_pair, label)
    if not readings and table.width == 2 and requested_pair is None:
        _refuse_without_texts(table, 1 - label)
        return 1 - label, None
    companions = [] if requested_pair is not None else _list_companions(table, readings, label)
    if len(readings) != 1 or companions:
        known = {column for reading in readings for column in reading if column is not None}
        columns = sorted(known.union(companions if readings or len(companions) > 1 else ()))
        raise make_ambiguity_error("text", columns, table, "task.text_column")
    if holds_ids_or_dates(table.get_cells(readings[0][0])):
        raise make_not_text_error(readings[0][0], table)
    return readings[0]


def _refuse_without_texts(table: Table, column: int) -> None:
    """Raise ``InvalidValue`` if the column that is left over holds no texts."""
    is_named_so = table.columns is not None and is_not_text_name(table.columns[column])
    if is_named_so or holds_no_texts(table.get_cells(column)):
        raise make_not_text_error(column, table)


def _list_companions(table: Table, readings: Sequence[Reading], label: int) -> list[int]:
    """List the columns that hold texts and may belong to the text, besides those of readings."""
    known = {column for reading in readings for column in reading} | {label}
    return [
        column
        for column in list_companion_texts(list(table.columns or ()))
        if column not in known and holds_texts(table.get_cells(column))
    ]


def _list_texts(table: Table, requested_pair: int | None, label: int) -> list[Reading]:
    """List the readings that the names allow beside the columns already chosen."""
    taken = {requested_pair, label}
    readings = [
        (text, pair)
        for text, pair in list_text_candidates(list(table.columns or ()))
        if text not in taken
        and (
            pair == requested_pair
            if requested_pair is not None
            else pair not in taken or pair is None
        )
    ]
    filled = set(_prefer_filled(table, [text for text, _ in readings]))
    return [reading for reading in readings if reading[0] in filled]
