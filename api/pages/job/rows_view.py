"""What the tab of the rows shows: the filters in its address, and the confusion matrix as links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlencode

from api.pages.job.page import JobPage
from api.runs.predicted_rows import RowFilter, RowsPage
from shared.domain.errors import InvalidValue
from shared.domain.states import RunState
from shared.domain.task import Task, TaskType

PAGE_SIZE: Final = 50
MAX_PAGES: Final = 100_000
MAX_MATRIX_LABELS: Final = 20
MAX_PAIRS: Final = 30
ENSEMBLE: Final = "ensemble"
ORDERS: Final = {
    "disagreement": "seeds that disagree",
    "score": "surest first",
    "row": "row number",
}
ORDERS_OF_NUMBERS: Final = {"disagreement": "largest errors", "row": "row number"}


@dataclass(frozen=True)
class RowsQuery:
    """The filters in the address."""

    run: str
    """ID of a run, or ``ensemble``."""
    split: str
    actual: str = ""
    predicted: str = ""
    wrong: str = ""
    sort: str = "disagreement"
    page: int = 1

    def to_filter(self) -> RowFilter:
        return RowFilter(
            split=self.split,
            run_id=None if self.run == ENSEMBLE else self.run,
            actual=self.actual or None,
            predicted=self.predicted or None,
            is_wrong=bool(self.wrong),
            order=self.sort,
            start=(self.page - 1) * PAGE_SIZE,
            count=PAGE_SIZE,
        )

    def get_address(self, path: str, **changes: str) -> str:
        """Return the address with other filters, on its first page."""
        filters = {name: value for name, value in vars(self).items() if name != "page"}
        values = {name: value for name, value in {**filters, **changes}.items() if value}
        return f"{path}?{urlencode(values)}"


class Choice(NamedTuple):
    """An entry of a list to choose from."""

    value: str
    title: str


class Cell(NamedTuple):
    """A cell of the confusion matrix."""

    rows: int
    share: int
    """Tenths of its row, for the shade."""
    is_right: bool
    url: str


class MatrixRow(NamedTuple):
    """The rows with one label, by predicted label."""

    label: str
    cells: Sequence[Cell]


class Pair(NamedTuple):
    """Two labels that are confused."""

    label: str
    predicted: str
    rows: int
    url: str


class LabelCounts(NamedTuple):
    """A label of a multi-label task."""

    label: str
    actual: Cell
    predicted: Cell
    both: Cell


def read_query(shown: JobPage) -> RowsQuery:
    """Return the filters, by default those of the best run. Raises InvalidValue."""
    given = shown.page.query
    runs = [choice.value for choice in list_runs(shown)]
    splits = list_splits(shown)
    best = str(shown.report.get("best_run_id"))
    query = RowsQuery(
        run=given.get("run") or (best if best in runs else runs[-1] if runs else ENSEMBLE),
        split=given.get("split") or splits[-1],
        actual=given.get("actual", ""),
        predicted=given.get("predicted", ""),
        wrong=given.get("wrong", ""),
        sort=given.get("sort") or "disagreement",
        page=_read_page_number(given.get("page", "1")),
    )
    _require_choice(query.split, splits, "split")
    _require_choice(query.sort, list(ORDERS), "sort")
    if runs:
        _require_choice(query.run, runs, "run")
    return query


def list_splits(shown: JobPage) -> list[str]:
    """List the splits that were evaluated; the last one is the report's."""
    rows = shown.job.dataset.get("rows")
    has_test = isinstance(rows, Mapping) and bool(rows.get("test"))
    return ["validation", "test"] if has_test else ["validation"]


def list_runs(shown: JobPage) -> list[Choice]:
    """List what can be shown: the ensemble of the sound runs, and every succeeded run."""
    ended = [run for run in shown.runs if run.status == RunState.SUCCEEDED]
    sound = sum(not run.degenerate for run in ended)
    ensemble = [Choice(ENSEMBLE, f"ensemble of {sound} seeds")] if sound > 1 else []
    folds = {run.id: "" if run.fold is None else f", fold {run.fold}" for run in ended}
    best = shown.report.get("best_run_id")
    return ensemble + [
        Choice(run.id, f"seed {run.seed}{folds[run.id]}{' (best)' if run.id == best else ''}")
        for run in ended
    ]


def build_matrix(page: RowsPage, task: Task, query: RowsQuery, path: str) -> list[MatrixRow]:
    """Return the confusion matrix; empty for a task without one, or of too many labels."""
    labels = task.label_names
    if task.type is not TaskType.SINGLE_LABEL or len(labels) > MAX_MATRIX_LABELS:
        return []
    return [
        MatrixRow(
            label,
            [
                _build_cell(
                    page.counts.get((label, predicted), 0),
                    page.actual.get(label, 0),
                    query.get_address(path, actual=label, predicted=predicted, wrong=""),
                    is_right=label == predicted,
                )
                for predicted in labels
            ],
        )
        for label in labels
    ]


def list_confused_pairs(page: RowsPage, task: Task, query: RowsQuery, path: str) -> list[Pair]:
    """List the labels that are confused most often, where a matrix would be too large."""
    if task.type is not TaskType.SINGLE_LABEL or len(task.label_names) <= MAX_MATRIX_LABELS:
        return []
    wrong = [(pair, count) for pair, count in page.counts.items() if pair[0] != pair[1]]
    wrong.sort(key=lambda item: (-item[1], item[0]))
    return [
        Pair(
            label,
            predicted,
            count,
            query.get_address(path, actual=label, predicted=predicted, wrong=""),
        )
        for (label, predicted), count in wrong[:MAX_PAIRS]
    ]


def count_labels(page: RowsPage, task: Task, query: RowsQuery, path: str) -> list[LabelCounts]:
    """Count the rows of each label of a multi-label task."""
    if task.type is not TaskType.MULTI_LABEL:
        return []
    return [
        LabelCounts(
            label,
            *(
                _build_cell(
                    count,
                    page.total,
                    query.get_address(path, **{"actual": "", "predicted": "", "wrong": "", **at}),
                    is_right=True,
                )
                for count, at in (
                    (page.actual.get(label, 0), {"actual": label}),
                    (page.predicted.get(label, 0), {"predicted": label}),
                    (page.counts.get((label, label), 0), {"actual": label, "predicted": label}),
                )
            ),
        )
        for label in task.label_names
    ]


def _build_cell(count: int, total: int, url: str, *, is_right: bool) -> Cell:
    return Cell(count, round(10 * count / total) if total else 0, is_right, url)


def _require_choice(value: str, choices: Sequence[str], name: str) -> None:
    if value not in choices:
        raise InvalidValue(f"{name} must be one of {', '.join(choices)[:400]}.", param=name)


def _read_page_number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
    if not 1 <= number <= MAX_PAGES:
        raise InvalidValue(f"page must be a whole number from 1 to {MAX_PAGES}.", param="page")
    return number
