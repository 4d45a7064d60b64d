"""Read a job's files under its task, and split their rows as its worker will split them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from api.jobs.planning.request_validation import check_class_weights
from api.jobs.planning.text_lengths import EncoderInput, TextLengths, measure_text_lengths
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
    load_texts,
    resolve_task,
    split_files,
)
from shared.datasets.examples import has_label_column
from shared.datasets.profile.schemas import Finding
from shared.datasets.profile.table_warnings import find_table_warnings
from shared.datasets.profile.validation import find_evaluation_warnings, find_warnings
from shared.datasets.split.leakage import (
    Leak,
    PartRows,
    find_common_texts,
    find_leak,
    hash_texts,
)
from shared.datasets.split.unlabelled import find_new_texts
from shared.domain.errors import InvalidValue
from shared.domain.task import Label, SplitRequest, Task

SplitName = Literal["training", "validation", "test"]


class FileRows(NamedTuple):
    """What is kept of a file's rows once it is read: not the texts, which may be large."""

    labels: Sequence[Label]
    groups: Sequence[str] | None
    digests: Sequence[bytes]
    lengths: TextLengths | None = None
    """Tokens of the texts; None if this machine does not have the base model's tokenizer."""
    has_ignored_labels: bool = False
    """Whether this is a file of unlabelled texts that has the task's column of labels."""


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
    unlabelled: SplitPart | None = None
    """The unlabelled texts that a distillation may read: none of them is a training row's, and
    each is there once."""

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

    def list_labels(self, split: SplitName) -> list[list[Label]]:
        """Return the labels of a split for each fold; of the test rows, which all folds share,
        once, and none without test rows.
        """
        if split == "training":
            return [self.get_labels(fold.train) for fold in self.folds]
        if split == "validation":
            return [self.get_labels(fold.validation) for fold in self.folds]
        return [self.test_labels] if self.folds[0].test is not None else []

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

    @cached_property
    def distillation_leaks(self) -> dict[str, Leak]:
        """Split -> validation or test rows whose text is among the unlabelled ones; only non-empty
        leaks.
        """
        if self.unlabelled is None:
            return {}
        first = self.folds[0]  # a k-fold job has no distillation
        texts = self._get_part_rows(self.unlabelled)
        leaks = {
            split: Leak(find_common_texts(texts, self._get_part_rows(part)), 0)
            for split, part in (("validation", first.validation), ("test", first.test))
            if part is not None
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
    request: JobRequest, sources: Mapping[InputFile, TableSource], encoder: EncoderInput
) -> JobData:
    """Read the files one after the other, so that only one table is in memory.

    Raises InvalidValue for data, splits and settings that do not fit each other.
    """
    task, training_rows, findings = _read_training_file(request, sources, encoder)
    rows = {InputFile.TRAINING: training_rows}
    for source in (InputFile.VALIDATION, InputFile.TEST):
        if source in sources:
            stored = replace(sources[source], header=task.header)
            table = stored.read()
            rows[source] = _read_rows(table, task, request, source, encoder, stored.file_id)
            findings += [FileFinding(source, one) for one in find_evaluation_warnings(table, task)]
            del table  # frees it before the next one is read
    folds = [
        split_files(rows, task.type, request.split, fold) for fold in list_folds(request.split)
    ]
    data = JobData(task, request.split, rows, folds, findings)
    if InputFile.UNLABELLED in sources:
        return _add_unlabelled_texts(data, sources[InputFile.UNLABELLED], encoder)
    return data


def _add_unlabelled_texts(data: JobData, source: TableSource, encoder: EncoderInput) -> JobData:
    """Read the unlabelled texts. Raises InvalidValue if all of them are training texts."""
    param, train = InputFile.UNLABELLED, data.folds[0].train
    table = replace(source, header=data.task.header).read()
    examples = load_texts(table, data.task, param=param)
    digests = hash_texts(examples)
    trained = data.files[train.source].digests
    new = find_new_texts(digests, (trained[row] for row in train.rows))
    if not new:
        raise InvalidValue(
            "Every text of the file is a training row's, so a distillation would learn nothing "
            "more from it. Give other texts, or leave unlabelled_file out.",
            param=param,
        )
    file = FileRows(
        labels=(),
        groups=None,
        digests=digests,
        lengths=measure_text_lengths(examples, data.task, encoder, source.file_id),
        has_ignored_labels=has_label_column(table, data.task),
    )
    return replace(
        data,
        files={**data.files, param: file},
        findings=[
            *data.findings,
            *(FileFinding(param, found) for found in find_table_warnings(table)),
        ],
        unlabelled=SplitPart(param, new),
    )


def _read_training_file(
    request: JobRequest, sources: Mapping[InputFile, TableSource], encoder: EncoderInput
) -> tuple[Task, FileRows, list[FileFinding]]:
    """Return the resolved task, the rows and the warnings; the table is freed before the next one
    is read.
    """
    source = InputFile.TRAINING
    table = sources[source].read()
    task = resolve_task(
        request.task,
        table,
        max_positions=encoder.max_positions,
        needs_validation_split=InputFile.VALIDATION not in sources,
    )
    check_class_weights(request, task)
    rows = _read_rows(table, task, request, source, encoder, sources[source].file_id)
    return task, rows, [FileFinding(source, found) for found in find_warnings(table, task)]


def _read_rows(
    table: Table,
    task: Task,
    request: JobRequest,
    source: InputFile,
    encoder: EncoderInput,
    file_id: str,
) -> FileRows:
    group_column = get_group_column(request.split, source)
    examples = load_examples(table, task, group_by=group_column, param=source)
    return FileRows(
        examples.labels,
        examples.groups,
        hash_texts(examples),
        measure_text_lengths(examples, task, encoder, file_id),
    )
