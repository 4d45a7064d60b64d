"""What a job's data leave in doubt: warnings that go with the job from its creation on."""

from collections.abc import Iterator

from api.jobs.planning.job_data import JobData, summarize_numeric_labels
from api.jobs.schemas import JobRequest
from shared.datasets.profile.checks import MIN_VALIDATION_ROWS
from shared.datasets.readers.cells import format_names
from shared.datasets.split.leakage import MAX_ROWS_NAMED, Leak
from shared.domain.task import TaskType

USUAL_LABEL_STD = (0.1, 10.0)
"""Standard deviations of a regression's labels that the recipe's rates are made for: within a
factor of ten of 1.
"""


def list_data_warnings(data: JobData, request: JobRequest) -> list[dict[str, str]]:
    found = [
        *_warn_few_validation_rows(data),
        *_warn_missing_labels(data),
        *_warn_regression_labels(data, request),
        *(("leakage", _describe_leak(name, found)) for name, found in data.split_leaks.items()),
    ]
    return [{"code": code, "message": message} for code, message in found]


def _warn_few_validation_rows(data: JobData) -> Iterator[tuple[str, str]]:
    rows = len(data.validation_labels)
    if rows >= MIN_VALIDATION_ROWS:
        return
    if data.task.type is TaskType.REGRESSION:
        effect = "on so few a correlation is coarse."
    else:
        effect = f"one row more or less right moves accuracy by {100 / rows:.1f} points."
    yield "small_validation_set", f"Only {rows} validation rows: {effect}"


def _warn_missing_labels(data: JobData) -> Iterator[tuple[str, str]]:
    for split, labels in (("validation", data.validation_labels), ("training", data.train_labels)):
        present = {
            index for label in labels for index in (label if isinstance(label, tuple) else (label,))
        }
        missing = [name for index, name in enumerate(data.task.label_names) if index not in present]
        if missing:
            yield (
                f"label_not_in_{split}",
                f"No {split} row has the label {format_names(missing, 5)}.",
            )


def _warn_regression_labels(data: JobData, request: JobRequest) -> Iterator[tuple[str, str]]:
    if data.task.type is not TaskType.REGRESSION:
        return
    if request.task.type is None:
        yield (
            "task_type_inferred",
            "The label column holds numbers that are no class numbers, so this is a "
            "regression; if they are classes, set "
            f"task.type to {TaskType.SINGLE_LABEL}.",
        )
    spread, (least, most) = summarize_numeric_labels(data.train_labels)["std"], USUAL_LABEL_STD
    if not least <= spread <= most:
        yield (
            "label_scale",
            f"The labels' standard deviation is {spread:.3g}, and training rates are made "
            "for numbers that spread about 1: "
            "rescaled labels may be learnt better.",
        )


def _describe_leak(split: str, leak: Leak) -> str:
    count = len(leak.rows)
    named = ", ".join(map(str, leak.rows[:MAX_ROWS_NAMED]))
    more = f" and {count - MAX_ROWS_NAMED:,} more" if count > MAX_ROWS_NAMED else ""
    conflict = (
        f", {leak.conflicting_count:,} of them with another label" if leak.conflicting_count else ""
    )
    rows, have = ("rows", "have") if count > 1 else ("row", "has")
    return (
        f"{count:,} {split} {rows} ({named}{more}) {have} the text of a training "
        f"row{conflict}: scores on such rows say nothing "
        "about new texts. Leave the copies out, or keep them together (split.group_by)."
    )
