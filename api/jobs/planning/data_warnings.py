"""Warn about a job's data when the job is created: few rows, missing labels, leaks, scale."""

from collections.abc import Iterator, Sequence
from typing import cast

from api.jobs.planning.dataset_facts import summarize_numeric_labels
from api.jobs.planning.job_data import JobData, SplitName
from api.jobs.planning.label_warnings import warn_missing_labels, warn_single_row_labels
from api.jobs.planning.length_warnings import warn_truncated_texts
from api.jobs.planning.metric_warnings import warn_useless_metric
from api.jobs.planning.text_lengths import EncoderInput
from api.jobs.planning.unlabelled_warnings import warn_unlabelled_texts
from api.jobs.request_schemas import JobRequest
from shared.datasets import InputFile
from shared.datasets.profile.label_warnings import MIN_VALIDATION_ROWS
from shared.datasets.split.leakage import Leak
from shared.domain.job_facts import JobWarning
from shared.domain.task import TaskType
from shared.domain.wording import choose_verb
from shared.metrics.regression import is_constant

USUAL_LABEL_STD = (0.1, 10.0)
"""Range of a regression's label standard deviations that suits the recipe's learning rates: within
a factor of ten of 1."""


REPLACED_FINDINGS = frozenset({"few_validation_rows", "regression", "columns_not_detected"})
"""Codes of a file's warnings that a job says more exactly, about its own split and task."""

MAX_SHARE_EXCESS = 1.25
"""Validation rows per requested row from which a split is worth a warning."""


def list_data_warnings(
    data: JobData, request: JobRequest, metric: str, encoder: EncoderInput
) -> list[JobWarning]:
    return [
        *_warn_few_rows(data),
        *_warn_raised_validation_share(data),
        *warn_missing_labels(data),
        *warn_single_row_labels(data),
        *warn_useless_metric(data, metric),
        *_warn_regression_labels(data, request),
        *(
            JobWarning(code="leakage", message=_describe_leak(split, leak))
            for split, leak in data.split_leaks.items()
        ),
        *warn_unlabelled_texts(data),
        *warn_truncated_texts(data, encoder),
        *_list_file_warnings(data),
    ]


def _list_file_warnings(data: JobData) -> list[JobWarning]:
    """Return what validation finds in the files, each code once a file."""
    warnings: dict[tuple[InputFile, str], JobWarning] = {}
    for source, finding in data.findings:
        if finding.code not in _list_replaced_codes(data, source):
            place = "" if source is InputFile.TRAINING else f"In {source}: "
            message = f"{place}{finding.message} Count: {finding.count:,}."
            warnings.setdefault(
                (source, finding.code), JobWarning(code=finding.code, message=message)
            )
    return list(warnings.values())


def _list_replaced_codes(data: JobData, source: InputFile) -> set[str]:
    """List the codes of a file's warnings that another warning of the job makes redundant."""
    replaced = set(REPLACED_FINDINGS)
    if source is InputFile.TRAINING and data.split_leaks:
        replaced.add("duplicate_rows")  # the leak names the rows
    elif source is not InputFile.TRAINING and len(data.files[source].labels) < MIN_VALIDATION_ROWS:
        replaced.add("few_rows_of_label")  # the whole file has few rows, which is warned of
    return replaced


def _warn_raised_validation_share(data: JobData) -> Iterator[JobWarning]:
    """Warn if rare labels, which need a row on either side, make the validation part larger than
    was asked for.
    """
    training = data.files[InputFile.TRAINING]
    is_split_by_label = (
        InputFile.VALIDATION not in data.files
        and data.split.folds is None
        and training.groups is None
        and data.task.type is TaskType.SINGLE_LABEL
    )
    rows = len(training.labels)
    test_rows = 0 if data.split.halve_validation else len(data.test_labels)
    test_rows = 0 if InputFile.TEST in data.files else test_rows
    held_out = rows - len(data.train_labels) - test_rows
    if is_split_by_label and held_out > MAX_SHARE_EXCESS * data.split.validation_fraction * rows:
        yield JobWarning(
            code="validation_share_raised",
            message=f"{held_out:,} of {rows:,} rows ({held_out / rows:.0%}) "
            f"{choose_verb(held_out, 'is', 'are')} held out for "
            f"validation instead of {data.split.validation_fraction:.0%}, because each label with "
            "two or more rows has one of them there. Add rows to the rare labels, or give a "
            "validation_file.",
        )


def _warn_few_rows(data: JobData) -> Iterator[JobWarning]:
    validation, test = data.validation_labels, data.test_labels
    if len(validation) < MIN_VALIDATION_ROWS:
        message = _describe_few_rows(data, "validation", len(validation))
        yield JobWarning(code="small_validation_set", message=message)
    if 0 < len(test) < MIN_VALIDATION_ROWS:
        message = _describe_few_rows(data, "test", len(test))
        yield JobWarning(code="small_test_set", message=message)


def _describe_few_rows(data: JobData, split: SplitName, rows: int) -> str:
    if data.task.type is TaskType.REGRESSION:
        effect = "a correlation of so few rows is imprecise."
    else:
        effect = f"a single row changes accuracy by {100 / rows:.1f} points."
    return f"Only {rows} {split} row{'' if rows == 1 else 's'}: {effect}"


def _warn_regression_labels(data: JobData, request: JobRequest) -> Iterator[JobWarning]:
    if data.task.type is not TaskType.REGRESSION:
        return
    if request.task.type is None:
        yield JobWarning(
            code="task_type_inferred",
            message="The numbers in the label column do not look like class numbers, so this is a "
            f"regression. If they are classes, set task.type to {TaskType.SINGLE_LABEL}.",
        )
    if is_constant(cast(Sequence[float], data.train_labels)):
        yield JobWarning(
            code="constant_labels",
            message=f"All {len(data.train_labels):,} training labels are equal, so there is "
            "nothing to learn. Add rows with other values.",
        )
        return
    spread, (least, most) = summarize_numeric_labels(data.train_labels).std, USUAL_LABEL_STD
    if not least <= spread <= most:
        yield JobWarning(
            code="label_scale",
            message=f"The labels have a standard deviation of {spread:.3g}, but the learning rates "
            "suit labels with a standard deviation near 1. Consider rescaling the labels.",
        )


def _describe_leak(split: str, leak: Leak) -> str:
    conflict = (
        f", {leak.conflicting_count:,} of them with another label" if leak.conflicting_count else ""
    )
    return (
        f"{leak.format_rows(split)} the text of a training row{conflict}; "
        "scores on such rows say nothing about new texts. Remove the copies, or keep them in one "
        "split (split.group_by)."
    )
