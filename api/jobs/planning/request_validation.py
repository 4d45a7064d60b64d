"""Settings of a request that contradict each other, or the task: refused in words, not resolved
in silence.
"""

from api.jobs.schemas import JobRequest
from shared.datasets.readers.cells import format_names
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskType


def check_split_settings(request: JobRequest) -> None:
    """Raises InvalidValue for settings of the split that cannot go together."""
    for contradiction, param, message in _list_contradictions(request):
        if contradiction:
            raise InvalidValue(message, param=param)


def _list_contradictions(request: JobRequest) -> list[tuple[bool, str, str]]:
    split = request.split
    kfold, validation, test = (
        split.mode == "kfold",
        request.validation_file is not None,
        request.test_file is not None,
    )
    fraction_given = "validation_fraction" in split.model_fields_set
    part_of_kfold = "Under kfold each part in turn is the validation"
    return [
        (
            kfold and validation,
            "split.mode",
            f"{part_of_kfold}; a validation_file leaves nothing to fold.",
        ),
        (
            kfold and fraction_given,
            "split.validation_fraction",
            f"{part_of_kfold}: a k-th of the rows.",
        ),
        (
            kfold and split.halve_validation,
            "split.halve_validation",
            f"{part_of_kfold}; halving it is for a holdout.",
        ),
        (not kfold and split.k is not None, "split.k", "k is for split.mode kfold."),
        (
            validation and fraction_given,
            "split.validation_fraction",
            "validation_file is given, so there is nothing to split off.",
        ),
        (
            test and split.test_fraction > 0,
            "split.test_fraction",
            "test_file is given, so there is nothing to split off.",
        ),
        (
            split.halve_validation and (test or split.test_fraction > 0),
            "split.halve_validation",
            (
                "The other half of the validation rows is the test; test_file or test_fraction "
                "would be another."
            ),
        ),
        (
            split.group_by is not None
            and validation
            and not (split.halve_validation or split.test_fraction > 0),
            "split.group_by",
            "With these files nothing is split, so there are no groups to keep together.",
        ),
    ]


def check_class_weights(request: JobRequest, task: Task) -> None:
    """Raises InvalidValue for weights of labels that there are not."""
    weights = request.recipe.class_weights
    if weights is None or weights == "none":
        return
    if task.type is TaskType.REGRESSION:
        raise InvalidValue("A regression has no classes to weigh.", param="recipe.class_weights")
    if isinstance(weights, dict) and (unknown := sorted(set(weights) - set(task.label_names))):
        raise InvalidValue(
            (
                f"There is no label {format_names(unknown, 5)}; the labels are "
                f"{format_names(task.label_names)}."
            ),
            param="recipe.class_weights",
        )
