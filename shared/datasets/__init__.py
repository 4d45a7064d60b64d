"""From the bytes of a data file to examples. Used by the API at upload and job creation, and by
the trainer.

1. ``readers``: ``formats`` recognises CSV, TSV, JSON Lines, JSON and Parquet by content,
   ``gzip_io`` unpacks gzip, and each format's reader fills a ``table.Table`` of strings within
   ``rows.Limits``. A fault of the whole file is raised (``errors``: 415 or 422); a fault of a
   row is kept with its number.
2. ``profile``: ``validation.build_validation`` describes the table as ``GET
   /v1/files/{id}/validation`` returns it (``schemas``), with the ``statistics`` of its columns,
   ``row_problems``, and the warnings about the table, the task's texts and its labels.
3. ``columns`` and ``task_resolution.resolve_task`` turn the requested task into the resolved
   one, or say what to change (400); ``task_checks`` refuses rows, ``label_names`` orders names.
4. ``examples.load_examples`` returns texts and labels, ``load_texts`` texts alone.
5. ``split``: ``job_splits.split_files`` chooses training, validation and test rows by
   ``strata`` and, if requested, by group (``grouping``). ``leakage`` finds texts on both sides.
   ``unlabelled`` chooses the texts that a distillation adds to the training rows.
"""

from shared.datasets.columns import Detected
from shared.datasets.errors import RowProblem, UnreadableFile
from shared.datasets.examples import Examples, load_examples, load_texts
from shared.datasets.profile.schemas import Validation
from shared.datasets.profile.validation import build_validation, format_summary
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
    "load_texts",
    "read_table",
    "resolve_task",
    "split_files",
]
