"""What a job's data leave in doubt: warnings that go with the job from its creation on."""

from collections.abc import Iterator

from api.jobs.planning.job_data import Data, numbers_of
from api.jobs.schemas import JobRequest
from shared.datasets.profile.checks import FEW_VALIDATION_ROWS
from shared.datasets.readers.cells import listed
from shared.datasets.split.leakage import ROWS_NAMED, Leak
from shared.domain.task import TaskType

USUAL_SPREAD = (0.1, 10.0)
"""Standard deviations of a regression's labels that the recipe's rates are made for: within a factor of ten of 1."""


def data_warnings(data: Data, request: JobRequest) -> list[dict[str, str]]:
    found = [
        *_few_validation_rows(data),
        *_labels_without_rows(data),
        *_regression(data, request),
        *(("leakage", _leak(name, found)) for name, found in data.leaks.items()),
    ]
    return [{"code": code, "message": message} for code, message in found]


def _few_validation_rows(data: Data) -> Iterator[tuple[str, str]]:
    rows = len(data.validation)
    if rows >= FEW_VALIDATION_ROWS:
        return
    if data.task.type is TaskType.REGRESSION:
        effect = "on so few a correlation is coarse."
    else:
        effect = f"one row more or less right moves accuracy by {100 / rows:.1f} points."
    yield "small_validation_set", f"Only {rows} validation rows: {effect}"


def _labels_without_rows(data: Data) -> Iterator[tuple[str, str]]:
    for split, labels in (("validation", data.validation), ("training", data.train)):
        present = {
            index for label in labels for index in (label if isinstance(label, tuple) else (label,))
        }
        missing = [name for index, name in enumerate(data.task.label_names) if index not in present]
        if missing:
            yield f"label_not_in_{split}", f"No {split} row has the label {listed(missing, 5)}."


def _regression(data: Data, request: JobRequest) -> Iterator[tuple[str, str]]:
    if data.task.type is not TaskType.REGRESSION:
        return
    if request.task.type is None:
        yield (
            "task_type_inferred",
            f"The label column holds numbers that are no class numbers, so this is a regression; if they are classes, set "
            f"task.type to {TaskType.SINGLE_LABEL}.",
        )
    spread, (least, most) = numbers_of(data.train)["std"], USUAL_SPREAD
    if not least <= spread <= most:
        yield (
            "label_scale",
            f"The labels' standard deviation is {spread:.3g}, and training rates are made for numbers that spread about 1: "
            "rescaled labels may be learnt better.",
        )


def _leak(split: str, found: Leak) -> str:
    count = len(found.rows)
    named = ", ".join(map(str, found.rows[:ROWS_NAMED]))
    more = f" and {count - ROWS_NAMED:,} more" if count > ROWS_NAMED else ""
    conflict = f", {found.conflicting:,} of them with another label" if found.conflicting else ""
    rows, have = ("rows", "have") if count > 1 else ("row", "has")
    return (
        f"{count:,} {split} {rows} ({named}{more}) {have} the text of a training row{conflict}: scores on such rows say nothing "
        "about new texts. Leave the copies out, or keep them together (split.group_by)."
    )
