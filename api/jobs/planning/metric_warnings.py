"""Warn about a metric that cannot tell models apart on the rows that are scored.

The judges are perfect predictions and the best constant one. If even perfect predictions have no
score, the metric is undefined; if a constant prediction scores as well, it is useless. Distinct
labels suffice for both, except for the number of rows of a correlation.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from api.jobs.planning.job_data import JobData, SplitName
from shared.datasets.readers.cells import format_name
from shared.domain.job_facts import JobWarning
from shared.domain.task import Label, Task, TaskType
from shared.metrics import CORRELATION_METRICS, Scoring
from shared.metrics.scoring import SCORE_TOLERANCE

MIN_CORRELATION_ROWS = 3
"""The correlation of two rows is 1 or -1, whatever is predicted."""


class _Verdict(NamedTuple):
    """Why a metric is of no use on some rows."""

    is_undefined: bool
    reason: str


def warn_useless_metric(data: JobData, metric: str) -> Iterator[JobWarning]:
    """Warn if the job's metric is of no use on the validation rows of any fold or on the test
    rows.
    """
    splits: tuple[SplitName, ...] = ("validation", "test")
    for split in splits:
        folds = data.list_labels(split)
        verdicts = [_judge_metric(data.task, metric, labels) for labels in folds]
        undefined = [found for found in verdicts if found is not None and found.is_undefined]
        useless = [found for found in verdicts if found is not None and not found.is_undefined]
        if undefined:
            place = _describe_place(split, len(undefined), len(folds))
            yield JobWarning(
                code="metric_undefined",
                message=f"{metric} is undefined on {place}: {undefined[0].reason}. "
                f"{_describe_undefined_effect(split)}",
            )
        if useless:
            place = _describe_place(split, len(useless), len(folds))
            yield JobWarning(
                code="metric_cannot_discriminate",
                message=f"{metric} cannot tell models apart on {place}: {useless[0].reason}. "
                "Add rows with other labels, or choose another evaluation.metric.",
            )


def _judge_metric(task: Task, metric: str, labels: Sequence[Label]) -> _Verdict | None:
    """Return why the metric is of no use on these rows; None if it is of use."""
    scoring = Scoring(task, metric)
    distinct = list(dict.fromkeys(labels))
    perfect = scoring.compute_perfect_score(distinct)
    if perfect is None:
        return _Verdict(is_undefined=True, reason=_describe_labels(task, labels))
    if metric in CORRELATION_METRICS and len(labels) < MIN_CORRELATION_ROWS:
        reason = "a correlation of two rows is 1 or -1, whatever is predicted"
        return _Verdict(is_undefined=False, reason=reason)
    constant = scoring.compute_constant_score(distinct)
    if constant is None or perfect > constant + SCORE_TOLERANCE:
        return None
    reason = (
        f"{_describe_labels(task, labels)}, so a constant prediction has the best possible score "
        f"({perfect:.3g}) and every run counts as degenerate"
    )
    return _Verdict(is_undefined=False, reason=reason)


def _describe_labels(task: Task, labels: Sequence[Label]) -> str:
    """Say that the labels are all the same."""
    if len(labels) == 1:
        return "there is only 1 row"
    rows = f"all {len(labels):,} rows"
    if task.type is TaskType.SINGLE_LABEL:
        return f"{rows} have the label {format_name(task.label_names[cast(int, labels[0])])}"
    if task.type is TaskType.MULTI_LABEL:
        return f"{rows} have the same labels" if labels[0] else f"{rows} have no label"
    return f"{rows} have the same value"


def _describe_place(split: SplitName, affected: int, folds: int) -> str:
    if folds == 1:
        return f"the {split} rows"
    return f"the {split} rows of {affected} of {folds} folds"


def _describe_undefined_effect(split: SplitName) -> str:
    if split == "test":
        return "Test scores will be null; add rows, or choose another evaluation.metric."
    return (
        "Scores will be null, no best checkpoint can be chosen and every run counts as "
        "degenerate; add rows, or choose another evaluation.metric."
    )
