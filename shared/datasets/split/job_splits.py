"""Training, validation and test rows of a job's runs: one rule for the API, which counts them,
and the worker, which trains on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from shared.datasets.split.grouping import split_groups
from shared.datasets.split.strata import assign_strata
from shared.datasets.split.stratified_split import (
    RowSplit,
    check_fractions,
    deal_rows,
    split_by_strata,
    to_exact_fraction,
)
from shared.domain.errors import InvalidValue
from shared.domain.task import ColumnReference, Label, SplitRequest, TaskType
from shared.domain.wording import choose_verb, format_count


class InputFile(StrEnum):
    """A job's files, by their names in the request."""

    TRAINING = "training_file"
    VALIDATION = "validation_file"
    TEST = "test_file"
    UNLABELLED = "unlabelled_file"
    """Texts for a distillation; no part of any split."""


class SplitInput(Protocol):
    """What a split depends on, for each row of a file."""

    @property
    def labels(self) -> Sequence[Label]: ...

    @property
    def groups(self) -> Sequence[str] | None: ...


@dataclass(frozen=True, slots=True)
class SplitPart:
    """Rows of one file, as ascending indices from 0."""

    source: InputFile
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class FileSplit:
    train: SplitPart
    validation: SplitPart
    test: SplitPart | None


def list_folds(request: SplitRequest) -> list[int | None]:
    """List the folds that each seed of a job is trained on; a holdout has the single fold None."""
    return [None] if request.folds is None else list(range(request.folds))


def get_group_column(request: SplitRequest, source: InputFile) -> ColumnReference | None:
    """Return the column that groups rows of this file, if the file is split."""
    parted = source is InputFile.TRAINING or (
        source is InputFile.VALIDATION and request.halve_validation
    )
    return request.group_by if parted else None


def split_files(
    files: Mapping[InputFile, SplitInput],
    task_type: TaskType,
    request: SplitRequest,
    fold: int | None = None,
) -> FileSplit:
    """Split the files for one run; ``fold`` is one of ``list_folds``. A given file is used
    whole unless its rows are to be halved.

    Raises ``InvalidValue`` if there are too few rows.
    """
    training = files[InputFile.TRAINING]
    rows = _split_training_file(
        training, task_type, request, fold, needs_validation=InputFile.VALIDATION not in files
    )
    validation = SplitPart(InputFile.TRAINING, rows.validation)
    test = SplitPart(InputFile.TRAINING, rows.test) if rows.test else None
    if InputFile.VALIDATION in files:
        validation = _build_whole_part(files, InputFile.VALIDATION)
    if InputFile.TEST in files:
        test = _build_whole_part(files, InputFile.TEST)
    elif request.halve_validation:
        validation, test = _halve_validation(
            validation, files[validation.source], task_type, request.seed
        )
    return FileSplit(SplitPart(InputFile.TRAINING, rows.train), validation, test)


def _build_whole_part(files: Mapping[InputFile, SplitInput], source: InputFile) -> SplitPart:
    return SplitPart(source, range(len(files[source].labels)))


def _split_training_file(
    training: SplitInput,
    task_type: TaskType,
    request: SplitRequest,
    fold: int | None,
    *,
    needs_validation: bool,
) -> RowSplit:
    """Split the training file into train, validation (unless given) and test."""
    if (fold is None) != (request.folds is None):
        raise ValueError("a fold is one of a k-fold split")
    strata = assign_strata(training.labels, task_type)
    if training.groups is not None:
        return _split_by_group(
            strata, training.groups, request, fold, needs_validation=needs_validation
        )
    if fold is None or request.folds is None:
        return split_by_strata(strata, request, needs_validation=needs_validation)
    return _split_into_folds(strata, request, request.folds, fold)


def _split_into_folds(
    strata: list[int], request: SplitRequest, num_folds: int, fold: int
) -> RowSplit:
    rest = split_by_strata(strata, request, needs_validation=False)
    if len(rest.train) < num_folds:
        raise InvalidValue(
            f"{format_count(len(rest.train), 'row')} "
            f"{choose_verb(len(rest.train), 'is', 'are')} too few for {num_folds} folds. "
            "Lower split.k.",
            param="split.k",
        )
    parts = deal_rows(strata, rest.train, num_folds, request.seed)
    return _build_fold_split(parts, fold, rest.test)


def _build_fold_split(parts: Sequence[list[int]], fold: int, test: list[int]) -> RowSplit:
    train = sorted(row for part, rows in enumerate(parts) if part != fold for row in rows)
    return RowSplit(train, parts[fold], test)


def _split_by_group(
    strata: list[int],
    groups: Sequence[str],
    request: SplitRequest,
    fold: int | None,
    *,
    needs_validation: bool,
) -> RowSplit:
    test = to_exact_fraction(request.test_fraction)
    folds = request.folds or 0
    held_out = (
        to_exact_fraction(request.validation_fraction)
        if needs_validation and not folds
        else Fraction(0)
    )
    check_fractions(held_out, test)
    rest = [(1 - test) / folds] * folds if folds else [1 - test - held_out, held_out]
    wanted = [share for share in (*rest, test) if share]
    parts = iter(split_groups(strata, groups, range(len(strata)), wanted, request.seed))
    found = [next(parts) if share else [] for share in (*rest, test)]
    if fold is not None:
        return _build_fold_split(found[:-1], fold, found[-1])
    return RowSplit(*found)


def _halve_validation(
    validation: SplitPart, file: SplitInput, task_type: TaskType, seed: int
) -> tuple[SplitPart, SplitPart]:
    """Halve the validation rows within each label: one half chooses, the other tests (the
    paper's protocol).
    """
    if len(validation.rows) < 2:
        message = "A single validation row cannot be halved. Add validation rows."
        raise InvalidValue(message, param="split.halve_validation")
    strata = assign_strata([file.labels[row] for row in validation.rows], task_type)
    of_row = dict(zip(validation.rows, strata, strict=True))
    everywhere = [of_row.get(row, 0) for row in range(len(file.labels))]
    if file.groups is None:
        halves = deal_rows(everywhere, validation.rows, 2, seed)
    else:
        halves = split_groups(everywhere, file.groups, validation.rows, [Fraction(1, 2)] * 2, seed)
    first, second = (SplitPart(validation.source, rows) for rows in halves)
    return first, second
