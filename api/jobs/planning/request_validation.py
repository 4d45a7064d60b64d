"""Refuse settings of a request that contradict each other or do not fit the task."""

from typing import NamedTuple

from api.jobs.request_schemas import JobRequest
from shared.datasets.readers.cells import format_names
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskType


class _Contradiction(NamedTuple):
    applies: bool
    param: str
    message: str


def check_unlabelled_file(request: JobRequest) -> None:
    """Raise InvalidValue for unlabelled texts that no run would learn from."""
    if request.unlabelled_file is not None and request.artifacts.publish != "distilled":
        raise InvalidValue(
            "Only a distillation reads unlabelled texts. Set artifacts.publish to distilled, or "
            "leave unlabelled_file out.",
            param="unlabelled_file",
        )


def check_split_settings(request: JobRequest) -> None:
    """Raise InvalidValue for split settings that exclude each other."""
    contradictions = [*_list_kfold_contradictions(request), *_list_holdout_contradictions(request)]
    for contradiction in contradictions:
        if contradiction.applies:
            raise InvalidValue(contradiction.message, param=contradiction.param)


def _list_kfold_contradictions(request: JobRequest) -> list[_Contradiction]:
    split = request.split
    is_kfold = split.mode == "kfold"
    return [
        _Contradiction(
            is_kfold and request.validation_file is not None,
            "split.mode",
            "A k-fold split takes its validation rows from the training file; leave "
            "validation_file out or use split.mode holdout.",
        ),
        _Contradiction(
            is_kfold and "validation_fraction" in split.model_fields_set,
            "split.validation_fraction",
            "A k-fold split validates on one k-th of the rows; leave validation_fraction out and "
            "set split.k.",
        ),
        _Contradiction(
            is_kfold and split.halve_validation,
            "split.halve_validation",
            "halve_validation applies only to split.mode holdout; leave it out for a k-fold split.",
        ),
        _Contradiction(
            not is_kfold and split.k is not None,
            "split.k",
            "k applies only to split.mode kfold; leave it out for a holdout split.",
        ),
    ]


def _list_holdout_contradictions(request: JobRequest) -> list[_Contradiction]:
    split = request.split
    has_validation, has_test = request.validation_file is not None, request.test_file is not None
    splits_test = split.test_fraction > 0
    return [
        _Contradiction(
            has_validation and "validation_fraction" in split.model_fields_set,
            "split.validation_fraction",
            "validation_file and validation_fraction both give validation rows; give one of them.",
        ),
        _Contradiction(
            has_test and splits_test,
            "split.test_fraction",
            "test_file and test_fraction both give test rows; give one of them.",
        ),
        _Contradiction(
            split.halve_validation and (has_test or splits_test),
            "split.halve_validation",
            "halve_validation turns half of the validation rows into test rows; leave test_file "
            "and test_fraction out.",
        ),
        _Contradiction(
            split.group_by is not None
            and has_validation
            and not (split.halve_validation or splits_test),
            "split.group_by",
            "group_by has no effect if validation_file is given, because no rows are split off; "
            "leave it out.",
        ),
    ]


def check_class_weights(request: JobRequest, task: Task) -> None:
    """Raise InvalidValue for weights of unknown labels, or of a regression."""
    weights = request.recipe.class_weights
    if weights is None or weights == "none":
        return
    if task.type is TaskType.REGRESSION:
        raise InvalidValue(
            "class_weights do not apply to a regression; leave them out.",
            param="recipe.class_weights",
        )
    if isinstance(weights, dict) and (unknown := sorted(set(weights) - set(task.label_names))):
        raise InvalidValue(
            f"There is no label {format_names(unknown, 5)}; the labels are "
            f"{format_names(task.label_names)}.",
            param="recipe.class_weights",
        )
