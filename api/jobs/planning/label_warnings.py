"""Warn about labels without rows in a split, or with a single row to learn from."""

from collections import Counter
from collections.abc import Iterator, Sequence

from api.jobs.planning.dataset_facts import list_label_indices
from api.jobs.planning.job_data import JobData, SplitName
from shared.datasets.readers.cells import format_names
from shared.domain.job_facts import JobWarning
from shared.domain.task import Label, TaskType
from shared.metrics import Scoring, list_metrics

MAX_NAMED_LABELS = 5
AVERAGED_METRICS = ("balanced_accuracy", "f1_macro")
"""Averages over the single labels that occur."""


def warn_missing_labels(data: JobData) -> Iterator[JobWarning]:
    """Warn of labels that no row of a split has, in any fold, and of what that does to scores."""
    if message := _describe_missing_labels(data, "validation"):
        yield JobWarning(code="label_not_in_validation", message=message)
    if message := _describe_missing_labels(data, "training"):
        yield JobWarning(code="label_not_in_training", message=message)
    if message := _describe_missing_labels(data, "test"):
        yield JobWarning(code="label_not_in_test", message=message)


def _describe_missing_labels(data: JobData, split: SplitName) -> str | None:
    folds = data.list_labels(split)
    affected = [labels for labels in folds if _list_missing_labels(data, labels)]
    if not affected:
        return None
    missing = {name for labels in affected for name in _list_missing_labels(data, labels)}
    names = [name for name in data.task.label_names if name in missing]
    listed = format_names(names, MAX_NAMED_LABELS)
    is_one = len(names) == 1
    if len(folds) == 1:
        found = f"No {split} row has the label{'' if is_one else 's'} {listed}."
    else:
        which = f"the label {listed}" if is_one else f"one of the labels {listed}"
        count = f"all {len(folds)}" if affected == folds else f"{len(affected)} of {len(folds)}"
        found = f"In {count} folds no {split} row has {which}."
    if split == "training":
        return f"{found} The model cannot learn {'it' if is_one else 'them'}."
    return f"{found} {_describe_effect(data, affected[0], is_one=is_one)}"


def _list_missing_labels(data: JobData, labels: Sequence[Label]) -> list[str]:
    present = {index for label in labels for index in list_label_indices(label)}
    return [name for index, name in enumerate(data.task.label_names) if index not in present]


def _describe_effect(data: JobData, labels: Sequence[Label], *, is_one: bool) -> str:
    """Say what the best possible predictions of these rows score."""
    it = "it" if is_one else "them"
    names = list_metrics(data.task)
    distinct = list(dict.fromkeys(labels))
    scores = {name: Scoring(data.task, name).compute_perfect_score(distinct) for name in names}
    if data.task.type is TaskType.MULTI_LABEL:
        return (
            f"Recall of {it} will be null there, and f1_macro cannot exceed "
            f"{scores['f1_macro']:.2f}, because labels without rows count as 0."
        )
    undefined = [name for name in names if scores[name] is None]
    verb = "are" if len(undefined) > 1 else "is"
    nulls = f", as {verb} {' and '.join(undefined)}" if undefined else ""
    return (
        f"Recall of {it} will be null there{nulls}, and {' and '.join(AVERAGED_METRICS)} leave "
        f"{it} out."
    )


def warn_single_row_labels(data: JobData) -> Iterator[JobWarning]:
    """Warn of labels that have one training row, in any fold."""
    names = data.task.label_names
    single = {
        index
        for labels in data.list_labels("training")
        for index, count in _count_labels(labels).items()
        if count == 1
    }
    if not names or not single:
        return
    listed = format_names([name for index, name in enumerate(names) if index in single], 5)
    place = "In a fold, only" if len(data.folds) > 1 else "Only"
    yield JobWarning(
        code="one_training_row_of_label",
        message=f"{place} one training row has the label {listed}. A label cannot be learned "
        "from one row; add rows, or merge it with another label.",
    )


def _count_labels(labels: Sequence[Label]) -> Counter[int | float]:
    return Counter(index for label in labels for index in list_label_indices(label))
