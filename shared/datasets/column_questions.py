"""Questions to the user about the columns of a file: which field to set, and what can be chosen."""

from shared.datasets.readers.cells import format_name, format_names
from shared.datasets.readers.table import Table
from shared.datasets.type_detection import detect_column_kind
from shared.domain.errors import InvalidValue

_BOTH_TEXTS = ", and task.text_pair_column to another if the model should read both"


def make_ambiguity_error(
    role: str, candidates: list[int], table: Table, param: str
) -> InvalidValue:
    columns = format_available_columns(table)
    if table.columns is None:
        message = f"Set task.text_column and task.label_column. {columns}"
    elif candidates:
        names = format_names([table.columns[column] for column in candidates])
        cure = f"Set {param} to one of them{_BOTH_TEXTS if role == 'text' else ''}."
        message = f"Several columns could be the {role} ({names}). {cure}"
    else:
        message = f"No column has a known name for the {role}, so set {param}. {columns}"
    return InvalidValue(message, param=param)


def make_not_text_error(column: int, table: Table) -> InvalidValue:
    name = format_column(column, table)
    return InvalidValue(
        f"The only possible text is column {name}, which looks like an id, a date or a number. "
        f"Set task.text_column to the column with the text, or to {name} if it is meant.",
        param="task.text_column",
    )


def format_available_columns(table: Table) -> str:
    if table.columns is not None:
        names = [name or f"{index} (no name)" for index, name in enumerate(table.columns)]
        return f"The columns are: {format_names(names)}."
    kinds = [
        f"{column} ({detect_column_kind(table.get_cells(column))})"
        for column in range(min(table.width, 12))
    ]
    return (
        "The file has no header. Its columns by index are: "
        f"{', '.join(kinds)}{', …' if table.width > 12 else ''}."
    )


def format_column(column: int, table: Table) -> str:
    """Return the name in quotes, or the index of a column that messages cannot name."""
    reference = table.get_column_reference(column)
    return str(reference) if isinstance(reference, int) else repr(format_name(reference))
