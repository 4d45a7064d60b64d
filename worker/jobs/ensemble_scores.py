"""Scores of the ensemble of a job's sound runs, from the predictions that the runs have stored."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from shared.db.tables import Job, Run
from shared.domain.publication import EnsembleResult
from shared.domain.states import RunState
from shared.domain.task import Label, Task, TaskType
from shared.metrics import Scoring
from shared.metrics.ensemble import ScoreMean, Scores, measure_pair_disagreement, predict_label
from worker.context import WorkerContext
from worker.jobs.result_files import load_predictions

_SPLITS = ("validation", "test")
StoredRows = list[dict[str, Any]]
"""Rows of a run's predictions.json (``worker.training.model.checkpoint.export_predictions``)."""


class SplitScores(NamedTuple):
    """Every metric of the ensemble on one split, and how often two of its members disagree."""

    metrics: dict[str, float | None]
    disagreement: float | None


def score_ensemble(context: WorkerContext, job: Job, runs: Sequence[Run]) -> EnsembleResult | None:
    """Score the mean prediction of the sound runs; None if fewer than two have predictions.

    Only one run's predictions are in memory at a time. Raises storage errors.
    """
    if not isinstance(job.task, Task):  # stored by another version
        return None
    splits = {name: EnsembleSplit(name, Scoring(job.task, job.metric)) for name in _SPLITS}
    run_ids = []
    for run in list_sound_runs(runs):
        content = load_predictions(context, run)
        if content is None:
            continue
        rows: StoredRows = json.loads(content)["rows"]
        run_ids.append(run.id)
        for split in splits.values():
            split.add_run(rows)
    if len(run_ids) < 2:
        return None
    return build_result(run_ids, {name: split.compute_scores() for name, split in splits.items()})


def list_sound_runs(runs: Sequence[Run]) -> list[Run]:
    """List the runs that succeeded and are not degenerate."""
    return [run for run in runs if run.status == RunState.SUCCEEDED and not run.degenerate]


def build_result(run_ids: list[str], scores: Mapping[str, SplitScores | None]) -> EnsembleResult:
    validation, test = scores.get("validation"), scores.get("test")
    return EnsembleResult(
        run_ids=run_ids,
        validation=None if validation is None else validation.metrics,
        test=None if test is None else test.metrics,
        disagreement={
            name: found.disagreement
            for name, found in scores.items()
            if found is not None and found.disagreement is not None
        },
    )


class EnsembleSplit:
    """One split of an ensemble, to which the runs' predictions are added one after the other."""

    def __init__(self, name: str, scoring: Scoring) -> None:
        self._name = name
        self._scoring = scoring
        self._index_of_label = {name: at for at, name in enumerate(scoring.task.label_names)}
        self._row_numbers: list[int] | None = None
        self._has_equal_rows = True
        self._labels: list[Label] = []
        self._predictions: list[list[Label]] = []
        self._mean = ScoreMean()

    def add_run(self, stored: StoredRows) -> None:
        rows = [row for row in stored if row["split"] == self._name]
        numbers = [row["row"] for row in rows]
        if self._row_numbers is None:
            self._row_numbers = numbers
            self._labels = [self._parse_label(row["label"]) for row in rows]
        if numbers != self._row_numbers:  # the folds of a k-fold split validate different rows
            self._has_equal_rows = False
        if not self._has_equal_rows or not rows:
            return
        self._predictions.append([self._parse_label(row["predicted"]) for row in rows])
        self._mean.add_member(self._collect_scores(rows))

    def compute_scores(self) -> SplitScores | None:
        """Score the mean prediction; None without rows that every run has predicted."""
        if not self._row_numbers or not self._has_equal_rows:
            return None
        kind = self._scoring.task.type
        predicted = [predict_label(row, kind) for row in self._mean.compute()]
        votes = self._predictions if kind is not TaskType.REGRESSION else []
        return SplitScores(
            self._scoring.compute_scores(self._labels, predicted), measure_pair_disagreement(votes)
        )

    def _collect_scores(self, rows: StoredRows) -> Scores:
        if self._scoring.task.type is TaskType.REGRESSION:
            return np.array([[row["predicted"]] for row in rows], dtype=np.float64)
        return np.array([row["probabilities"] for row in rows], dtype=np.float64)

    def _parse_label(self, value: str | float | list[str]) -> Label:
        match value:
            case str():
                return self._index_of_label[value]
            case list():
                return tuple(self._index_of_label[name] for name in value)
            case _:
                return float(value)
