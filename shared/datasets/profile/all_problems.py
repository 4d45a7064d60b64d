"""Every problem of a file's rows as a CSV file, where the profile lists the first hundred."""

import csv
import io

from shared.datasets.columns import get_label_cells
from shared.datasets.errors import RowProblem
from shared.datasets.label_reading import read_label_column
from shared.datasets.profile.row_problems import find_row_problems
from shared.datasets.profile.validation import try_choose_columns
from shared.datasets.readers.table import Table
from shared.domain.csv_cells import disarm_formula
from shared.domain.task import TaskRequest

_HEADER = ("row", "line", "column", "code", "message")


def write_problems(table: Table, task: TaskRequest) -> str:
    """Return the problems by row. The table lists all rows that could not be read."""
    columns, _ = try_choose_columns(task, table)
    labels = None
    if columns is not None:
        cells = get_label_cells(table, columns.label)
        labels = read_label_column(cells, task.type, task.label_names)
    problems = [*table.problems, *find_row_problems(table, columns, labels, task.label_names)]
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(_HEADER)
    writer.writerows(map(_list_cells, sorted(problems, key=lambda problem: problem.row)))
    return target.getvalue()


def _list_cells(problem: RowProblem) -> list[str | int | None]:
    column = problem.column
    return [
        problem.row,
        problem.line,
        disarm_formula(column) if isinstance(column, str) else column,
        problem.code,
        disarm_formula(problem.message),
    ]
