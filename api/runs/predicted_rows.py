"""The rows that runs were evaluated on, and what they predicted; runs in a reading process.

Everything here is bounded: the caller limits the stored bytes, and the process its memory and time.
"""

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.datasets import Table
from shared.datasets.columns import find_column
from shared.domain.task import Task, TaskType

if TYPE_CHECKING:
    from shared.metrics.ensemble import Scores

MAX_SHOWN_CHARACTERS: Final = 20_000
"""Of a text; the rest is left out, and said to be."""
StoredLabel = str | float | tuple[str, ...]
"""The name of a label, the names of labels, or a number."""


@dataclass(frozen=True)
class RowFilter:
    """Which rows are wanted, and in what order."""

    split: str
    run_id: str | None
    """The run whose predictions are shown; None for the mean of all sound runs."""
    actual: str | None = None
    """A label that the rows have."""
    predicted: str | None = None
    """A label that was predicted for them."""
    is_wrong: bool = False
    order: str = "disagreement"
    start: int = 0
    count: int = 50


@dataclass(frozen=True)
class StoredRun:
    """A run with stored predictions."""

    run_id: str
    path: Path
    """A local copy of them."""
    is_sound: bool
    """Whether it counts in the ensemble."""


@dataclass(frozen=True)
class PredictedRow:
    """One row with the shown prediction and those of the other seeds."""

    row: int
    """Number in its file, from 1."""
    label: StoredLabel
    predicted: StoredLabel
    score: float | None
    """Probability of the predicted label, the lowest of several; None for a regression."""
    disagreeing: int
    """Runs that predict something else."""
    compared: int
    """Runs that predicted this row."""
    spread: float | None
    """For a regression: standard deviation of the runs' predictions."""

    @property
    def is_wrong(self) -> bool:
        return self.label != self.predicted

    @property
    def error(self) -> float:
        """Distance of the prediction from the label, for a regression."""
        assert isinstance(self.label, int | float)
        assert isinstance(self.predicted, int | float)
        return abs(self.predicted - self.label)


@dataclass(frozen=True)
class RowsPage:
    """A page of the wanted rows, and counts over all rows of the split."""

    rows: list[PredictedRow]
    matching: int
    """Wanted rows, of which ``rows`` are a part."""
    total: int
    wrong: int
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Rows by (label, predicted label); a row with several labels counts once for each pair."""
    actual: Mapping[str, int] = field(default_factory=dict)
    """Rows by label."""
    predicted: Mapping[str, int] = field(default_factory=dict)
    """Rows by predicted label."""


def select_rows(runs: Sequence[StoredRun], task: Task, wanted: RowFilter) -> RowsPage:
    """Read the stored predictions of all runs, and select the wanted rows."""
    votes: dict[int, list[StoredLabel]] = {}
    shown = _ShownPredictions(task, wanted)
    for run in runs:
        for stored in _iterate_split(run.path, wanted.split):
            votes.setdefault(stored["row"], []).append(_freeze(stored["predicted"]))
            if run.run_id == wanted.run_id or (wanted.run_id is None and run.is_sound):
                shown.add(stored)
    is_regression = task.type is TaskType.REGRESSION
    rows = [
        _build_row(number, *prediction, votes[number], is_regression=is_regression)
        for number, prediction in shown.list_predictions()
    ]
    return _build_page(rows, wanted, is_regression=is_regression)


def read_texts(
    table: Table, task: Task, rows: Sequence[int]
) -> dict[int, tuple[str, str | None, bool]]:
    """Return text, second text, and whether either was cut, by the number of the row."""
    first = find_column(task.text_column, table, "task.text_column")
    pair = task.text_pair_column
    second = None if pair is None else find_column(pair, table, "task.text_pair_column")
    found = {}
    for row in rows:
        if row > len(table.rows):
            continue  # a file that differs from the one that was evaluated
        cells = table.rows[row - 1]
        texts = [cells[first], None if second is None else cells[second]]
        is_cut = any(len(text or "") > MAX_SHOWN_CHARACTERS for text in texts)
        text, other = (None if text is None else text[:MAX_SHOWN_CHARACTERS] for text in texts)
        found[row] = (str(text), None if other is None else str(other), is_cut)
    return found


class _ShownPredictions:
    """The predictions of one run, or the mean of several."""

    def __init__(self, task: Task, wanted: RowFilter) -> None:
        self._task = task
        self._is_mean = wanted.run_id is None
        self._labels: dict[int, StoredLabel] = {}
        self._single: dict[int, tuple[StoredLabel, float | None]] = {}
        self._sums: dict[int, Scores] = {}
        self._members: Counter[int] = Counter()

    def add(self, stored: Mapping[str, Any]) -> None:
        row = stored["row"]
        self._labels[row] = _freeze(stored["label"])
        if not self._is_mean:
            predicted = _freeze(stored["predicted"])
            self._single[row] = predicted, self._find_score(predicted, stored["probabilities"])
            return
        import numpy as np

        is_regression = self._task.type is TaskType.REGRESSION
        scores = [stored["predicted"]] if is_regression else stored["probabilities"]
        added = np.array(scores, dtype=np.float64)
        self._sums[row] = self._sums[row] + added if row in self._sums else added
        self._members[row] += 1

    def list_predictions(
        self,
    ) -> Iterator[tuple[int, tuple[StoredLabel, StoredLabel, float | None]]]:
        """Iterate (row, (label, prediction, score))."""
        for row, label in self._labels.items():
            predicted, score = self._average(row) if self._is_mean else self._single[row]
            yield row, (label, predicted, score)

    def _average(self, row: int) -> tuple[StoredLabel, float | None]:
        from shared.metrics.ensemble import predict_label

        scores = self._sums[row] / self._members[row]
        names = self._task.label_names
        match predict_label(scores, self._task.type):
            case tuple() as indices:
                predicted: StoredLabel = tuple(names[index] for index in indices)
            case int() as index:
                predicted = names[index]
            case number:
                return number, None
        return predicted, self._find_score(predicted, scores.tolist())

    def _find_score(self, predicted: StoredLabel, probabilities: Sequence[float]) -> float | None:
        names = self._task.label_names
        if isinstance(predicted, int | float):
            return None
        chosen = predicted if isinstance(predicted, tuple) else (predicted,)
        found = [probabilities[names.index(name)] for name in chosen]
        # without any label, the surest of those that were left out says how sure the model is
        return min(found) if found else 1 - max(probabilities)


def _iterate_split(path: Path, split: str) -> Iterator[Mapping[str, Any]]:
    stored = json.loads(path.read_text(encoding="utf-8"))
    return (row for row in stored["rows"] if row["split"] == split)


def _freeze(label: str | float | list[str]) -> StoredLabel:
    return tuple(label) if isinstance(label, list) else label


def _build_row(
    number: int,
    label: StoredLabel,
    predicted: StoredLabel,
    score: float | None,
    votes: Sequence[StoredLabel],
    *,
    is_regression: bool,
) -> PredictedRow:
    numbers = [vote for vote in votes if isinstance(vote, int | float)] if is_regression else []
    return PredictedRow(
        row=number,
        label=label,
        predicted=predicted,
        score=score,
        disagreeing=0 if is_regression else sum(vote != predicted for vote in votes),
        compared=len(votes),
        spread=statistics.stdev(numbers) if len(numbers) > 1 else None,
    )


def _build_page(
    rows: Sequence[PredictedRow], wanted: RowFilter, *, is_regression: bool
) -> RowsPage:
    matching = [row for row in rows if _is_wanted(row, wanted)]
    matching.sort(key=lambda row: row.row)
    if is_regression and wanted.order != "row":
        matching.sort(key=lambda row: -row.error)
    elif wanted.order == "score":
        matching.sort(key=lambda row: -(row.score or 0))
    elif wanted.order == "disagreement":
        matching.sort(key=lambda row: -row.disagreeing)
    page = matching[wanted.start : wanted.start + wanted.count]
    if is_regression:
        return RowsPage(page, len(matching), len(rows), wrong=0)
    counts: Counter[tuple[str, str]] = Counter()
    actual: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    for row in rows:
        labels, predictions = list_names(row.label), list_names(row.predicted)
        actual.update(labels)
        predicted.update(predictions)
        counts.update((label, other) for label in labels for other in predictions)
    wrong = sum(row.is_wrong for row in rows)
    return RowsPage(page, len(matching), len(rows), wrong, counts, actual, predicted)


def _is_wanted(row: PredictedRow, wanted: RowFilter) -> bool:
    return (
        (wanted.actual is None or wanted.actual in list_names(row.label))
        and (wanted.predicted is None or wanted.predicted in list_names(row.predicted))
        and (not wanted.is_wrong or row.is_wrong)
    )


def list_names(label: StoredLabel) -> tuple[str, ...]:
    """List the labels of a row; a number has none."""
    if isinstance(label, tuple):
        return label
    return (label,) if isinstance(label, str) else ()
