"""A data file's way from bytes to examples. Used by the API at upload and at job creation, and by the trainer to read its rows.

1. ``formats`` tells CSV, TSV, JSON Lines, JSON and Parquet from everything else by content, ``packed`` unpacks gzip on the way;
   ``names`` and ``header`` know what columns are called and whether the first line says so.
2. ``delimited``, ``objects`` (of ``json_records``; chats by the rule in ``chat``) and ``parquet`` read rows into a ``table.Table`` of
   strings, within ``rows.Limits``. What is wrong with the file as a whole is raised (``problems``: 415 or 422), what is wrong with a
   row is kept with its number.
3. ``validation.build_validation`` describes the table as ``GET /v1/files/{id}/validation`` shows it; ``findings`` holds its warnings.
4. ``columns`` and ``resolving.resolve_task`` turn the task as asked into the task as trained, or say what to change (400).
5. ``examples.load_examples`` gives texts and labels, ``job_splits.split_files`` sets rows apart for validation and test: by ``strata``,
   whole groups where asked (``grouping``). ``leakage`` finds texts that are on both sides.
"""

from shared.datasets.columns import Detected
from shared.datasets.errors import RowProblem, UnreadableFile
from shared.datasets.examples import Examples, load_examples
from shared.datasets.profile.validation import Validation, build_validation, format_summary
from shared.datasets.readers.formats import Format
from shared.datasets.readers.rows import Limits
from shared.datasets.readers.table import Table, read_table
from shared.datasets.split.job_splits import (
    FileSplit,
    InputFile,
    SplitPart,
    get_group_column,
    list_folds,
    split_files,
)
from shared.datasets.task_resolution import resolve_task

__all__ = [
    "Detected",
    "Examples",
    "FileSplit",
    "Format",
    "InputFile",
    "Limits",
    "RowProblem",
    "SplitPart",
    "Table",
    "UnreadableFile",
    "Validation",
    "build_validation",
    "format_summary",
    "get_group_column",
    "list_folds",
    "load_examples",
    "read_table",
    "resolve_task",
    "split_files",
]
