"""Which rows of which file a run trains on, chooses its checkpoint by, and is tested on: one rule, for the API that counts the rows and for
the worker that trains on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from shared.datasets.split.grouping import grouped_parts
from shared.datasets.split.strata import strata_of
from shared.datasets.split.stratified_split import Split, dealt, exact, stratified_split
from shared.domain.errors import InvalidValue
from shared.domain.task import Column, Label, SplitRequest, TaskType


class Source(StrEnum):
    """A job's files, by their names in the request."""

    TRAINING = "training_file"
    VALIDATION = "validation_file"
    TEST = "test_file"


class Rows(Protocol):
    """What a split depends on, of each row of a file."""

    @property
    def labels(self) -> Sequence[Label]: ...

    @property
    def groups(self) -> Sequence[str] | None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one file, as ascending indices from 0."""

    source: Source
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class FileSplit:
    train: Part
    validation: Part
    test: Part | None


def folds_of(request: SplitRequest) -> list[int | None]:
    """The folds that each seed of a job is trained on; of a holdout the one that is none."""
    return [None] if request.folds is None else list(range(request.folds))


def group_column(request: SplitRequest, source: Source) -> Column | None:
    """The column whose values keep rows of this file together, where rows of it are parted."""
    parted = source is Source.TRAINING or (source is Source.VALIDATION and request.halve_validation)
    return request.group_by if parted else None


def split_files(
    files: Mapping[Source, Rows], kind: TaskType, request: SplitRequest, fold: int | None = None
) -> FileSplit:
    """The parts of one run; ``fold`` is one of ``folds_of``. A given file is one whole part, unless its rows are to be halved.

    Raises ``InvalidValue`` where the rows do not suffice for the parts.
    """
    training = files[Source.TRAINING]
    rows = _split(training, kind, request, fold, validation=Source.VALIDATION not in files)
    validation = Part(Source.TRAINING, rows.validation)
    test = Part(Source.TRAINING, rows.test) if rows.test else None
    if Source.VALIDATION in files:
        validation = _whole(files, Source.VALIDATION)
    if Source.TEST in files:
        test = _whole(files, Source.TEST)
    elif request.halve_validation:
        validation, test = _halves(validation, files[validation.source], kind, request.seed)
    return FileSplit(Part(Source.TRAINING, rows.train), validation, test)


def _whole(files: Mapping[Source, Rows], source: Source) -> Part:
    return Part(source, range(len(files[source].labels)))


def _split(
    training: Rows, kind: TaskType, request: SplitRequest, fold: int | None, *, validation: bool
) -> Split:
    """The training file's own rows in train, validation (unless that is given) and test."""
    if (fold is None) != (request.folds is None):
        raise ValueError("a fold is one of a k-fold split")
    strata = strata_of(training.labels, kind)
    if training.groups is not None:
        return _grouped(strata, training.groups, request, fold, validation=validation)
    if fold is None or request.folds is None:
        return stratified_split(strata, request, validation=validation)
    rest = stratified_split(strata, request, validation=False)
    if len(rest.train) < request.folds:
        raise InvalidValue(
            f"{len(rest.train)} rows cannot make {request.folds} parts.", param="split.k"
        )
    return _fold_of(dealt(strata, rest.train, request.folds, request.seed), fold, rest.test)


def _fold_of(parts: Sequence[list[int]], fold: int, test: list[int]) -> Split:
    train = sorted(row for part, rows in enumerate(parts) if part != fold for row in rows)
    return Split(train, parts[fold], test)


def _grouped(
    strata: list[int],
    groups: Sequence[str],
    request: SplitRequest,
    fold: int | None,
    *,
    validation: bool,
) -> Split:
    test = exact(request.test_fraction)
    folds = request.folds or 0
    held_out = exact(request.validation_fraction) if validation and not folds else Fraction(0)
    if test + held_out >= 1:
        raise InvalidValue(
            "Validation and test together leave no row to train on.", param="split.test_fraction"
        )
    rest = [(1 - test) / folds] * folds if folds else [1 - test - held_out, held_out]
    wanted = [share for share in (*rest, test) if share]
    parts = iter(grouped_parts(strata, groups, range(len(strata)), wanted, request.seed))
    found = [next(parts) if share else [] for share in (*rest, test)]
    if fold is not None:
        return _fold_of(found[:-1], fold, found[-1])
    return Split(*found)


def _halves(validation: Part, file: Rows, kind: TaskType, seed: int) -> tuple[Part, Part]:
    """The paper's protocol: one half of each label's rows goes on choosing, the other is the test."""
    if len(validation.rows) < 2:
        raise InvalidValue("One validation row cannot be halved.", param="split.halve_validation")
    strata = strata_of([file.labels[row] for row in validation.rows], kind)
    of_row = dict(zip(validation.rows, strata, strict=True))
    everywhere = [of_row.get(row, 0) for row in range(len(file.labels))]
    if file.groups is None:
        halves = dealt(everywhere, validation.rows, 2, seed)
    else:
        halves = grouped_parts(everywhere, file.groups, validation.rows, [Fraction(1, 2)] * 2, seed)
    first, second = (Part(validation.source, rows) for rows in halves)
    return first, second
