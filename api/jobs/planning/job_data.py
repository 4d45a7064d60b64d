"""Read a job's files under its task, and split their rows as its worker will split them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from api.jobs.planning.request_validation import check_class_weights
from api.jobs.request_schemas import JobRequest
from api.reading.tables import TableSource
from shared.datasets import (
    FileSplit,
    InputFile,
    SplitPart,
    Table,
    get_group_column,
    list_folds,
    load_examples,
    resolve_task,
    split_files,
)
from shared.datasets.profile.schemas import Finding
from shared.datasets.profile.table_warnings import find_table_warnings
from shared.datasets.profile.validation import find_warnings
from shared.datasets.split.leakage import Leak, PartRows, find_leak, hash_texts
from shared.domain.task import Label, SplitRequest, Task


class FileRows(NamedTuple):
    """What is kept of a file's rows once it is read: not the texts, which may be large."""

    labels: Sequence[Label]
    groups: Sequence[str] | None
    digests: Sequence[bytes]


class FileFinding(NamedTuple):
    """A warning about one of the files."""

    source: InputFile
    finding: Finding


@dataclass(frozen=True)
class JobData:
    """The rows of a job and how each fold splits them; the worker derives the same splits."""

    task: Task
    split: SplitRequest
    files: Mapping[InputFile, FileRows]
    folds: Sequence[FileSplit]
    """A single one, unless the split is k-fold."""
    findings: Sequence[FileFinding] = ()
    """Warnings about the files under the task."""

    @property
    def train_labels(self) -> list[Label]:
        """Labels of the training rows of fold 0."""
        return self.get_labels(self.folds[0].train)

    @property
    def validation_labels(self) -> list[Label]:
        """Labels of the validation rows of fold 0."""
        return self.get_labels(self.folds[0].validation)

    @property
    def test_labels(self) -> list[Label]:
        """Labels of the test rows, which all folds share."""
        return self.get_labels(self.folds[0].test)

    def get_labels(self, part: SplitPart | None) -> list[Label]:
        return [] if part is None else [self.files[part.source].labels[row] for row in part.rows]

    @cached_property
    def split_leaks(self) -> dict[str, Leak]:
        """Split -> validation or test rows whose text any fold trains on; only non-empty leaks."""
        first = self.folds[0]
        trained = first.train
        if len(self.folds) > 1:  # the validation rows of one fold are training rows of another
            trained = SplitPart(trained.source, [*trained.rows, *first.validation.rows])
        leaks = {
            "validation": Leak.merge_leaks(
                self._find_leak(fold.train, fold.validation) for fold in self.folds
            ),
            "test": self._find_leak(trained, first.test),
        }
        return {name: leak for name, leak in leaks.items() if leak.rows}

    def _find_leak(self, train: SplitPart, other: SplitPart | None) -> Leak:
        if other is None:
            return Leak([], 0)
        return find_leak(self._get_part_rows(train), self._get_part_rows(other))

    def _get_part_rows(self, part: SplitPart) -> PartRows:
        file = self.files[part.source]
        return PartRows(file.digests, file.labels, part.rows)


def read_job_data(
    request: JobRequest, sources: Mapping[InputFile, TableSource], max_positions: int
) -> JobData:
    """Read the files one after the other, so that only one table is in memory.

    Raises InvalidValue for data, splits and settings that do not fit each other.
    """
    task, training_rows, findings = _read_training_file(request, sources, max_positions)
    rows = {InputFile.TRAINING: training_rows}
    for source in (InputFile.VALIDATION, InputFile.TEST):
        if source in sources:
            table = replace(sources[source], header=task.header).read()
            rows[source] = _read_rows(table, task, request.split, source)
            findings += [FileFinding(source, found) for found in find_table_warnings(table)]
            del table  # frees it before the next one is read
    folds = [
        split_files(rows, task.type, request.split, fold) for fold in list_folds(request.split)
    ]
    return JobData(task, request.split, rows, folds, findings)


def _read_training_file(
    request: JobRequest, sources: Mapping[InputFile, TableSource], max_positions: int
) -> tuple[Task, FileRows, list[FileFinding]]:
    """Return the resolved task, the rows and the warnings; the table is freed before the next one
    is read.
    """
    source = InputFile.TRAINING
    table = sources[source].read()
    task = resolve_task(
        request.task,
        table,
        max_positions=max_positions,
        needs_validation_split=InputFile.VALIDATION not in sources,
    )
    check_class_weights(request, task)
    rows = _read_rows(table, task, request.split, source)
    return task, rows, [FileFinding(source, found) for found in find_warnings(table, task)]


def _read_rows(table: Table, task: Task, split: SplitRequest, source: InputFile) -> FileRows:
    examples = load_examples(table, task, group_by=get_group_column(split, source), param=source)
    return FileRows(examples.labels, examples.groups, hash_texts(examples))
