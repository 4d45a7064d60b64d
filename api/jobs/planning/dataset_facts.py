"""Summarize a job's data for its row: counts, digests, leaks, constant baselines, the metric."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import cast

from api.jobs.planning.job_data import JobData
from api.jobs.request_schemas import JobRequest
from shared.datasets import InputFile, SplitPart
from shared.domain.errors import InvalidValue
from shared.domain.job_facts import (
    BaselineScore,
    BaselineScores,
    DatasetFacts,
    HubSource,
    LabelCount,
    NumericSummary,
    RowCounts,
)
from shared.domain.task import Label, TaskType
from shared.metrics import Scoring, choose_default_metric, list_metrics


@dataclass(frozen=True)
class FileOrigins:
    """Where a job's files come from."""

    sha256: Mapping[InputFile, str]
    filenames: Mapping[str, str]
    """Field of the request -> name of the file."""
    hub_sources: Mapping[str, HubSource]
    """Field of the request -> data set of the hub."""


def build_dataset_facts(data: JobData, origins: FileOrigins, max_positions: int) -> DatasetFacts:
    """Return row and label counts, and the files' origins; of fold 0 under k-fold."""
    is_regression = data.task.type is TaskType.REGRESSION
    return DatasetFacts(
        rows=RowCounts(
            train=len(data.train_labels),
            validation=len(data.validation_labels),
            test=len(data.test_labels),
            unlabelled=None if data.unlabelled is None else len(data.unlabelled.rows),
        ),
        labels=_count_labels(data),
        training_sha256=origins.sha256.get(InputFile.TRAINING),
        validation_sha256=origins.sha256.get(InputFile.VALIDATION),
        test_sha256=origins.sha256.get(InputFile.TEST),
        unlabelled_sha256=origins.sha256.get(InputFile.UNLABELLED),
        filenames=dict(origins.filenames),
        leakage={name: leak.summarize() for name, leak in data.split_leaks.items()},
        numbers=summarize_numeric_labels(data.train_labels) if is_regression else None,
        folds=data.split.folds,
        hub=origins.hub_sources or None,
        max_positions=max_positions,
    )


def _count_labels(data: JobData) -> list[LabelCount]:
    counts = Counter(index for label in data.train_labels for index in list_label_indices(label))
    return [
        LabelCount(label=name, count=counts[index])
        for index, name in enumerate(data.task.label_names)
    ]


def list_label_indices(label: Label) -> Sequence[int | float]:
    """Return the indices of a row's labels: several for multi-label, else one."""
    return label if isinstance(label, tuple) else (label,)


def summarize_numeric_labels(labels: Sequence[Label]) -> NumericSummary:
    """Return the distribution of a regression's labels, with the population's std."""
    numbers = cast(Sequence[float], labels)
    return NumericSummary(
        mean=fmean(numbers), std=pstdev(numbers), min=min(numbers), max=max(numbers)
    )


def resolve_metric(request: JobRequest, data: JobData) -> str:
    """Return the requested metric, or the task's default.

    Raises InvalidValue if the metric does not apply to the task.
    """
    requested: str | None = request.evaluation.metric
    if requested is None:
        return choose_default_metric(data.task.type, Counter(data.train_labels))
    names = list_metrics(data.task)
    if requested not in names:
        raise _build_metric_error(requested, data.task.type, names)
    return requested


def _build_metric_error(metric: str, task_type: TaskType, names: Sequence[str]) -> InvalidValue:
    reason = (
        "needs exactly two labels"
        if metric == "f1" and task_type is TaskType.SINGLE_LABEL
        else "does not apply to this task"
    )
    return InvalidValue(
        f"{metric} {reason}; the metrics of {task_type} are {', '.join(names)}.",
        param="evaluation.metric",
    )


def score_majority_baselines(data: JobData, metric: str) -> BaselineScores:
    """Return the score of the best constant prediction by split; under k-fold the folds' mean."""
    scoring = Scoring(data.task, metric)
    name = "mean" if data.task.type is TaskType.REGRESSION else "majority"
    parts: dict[str, list[SplitPart | None]] = {
        "validation": [fold.validation for fold in data.folds],
        "test": [data.folds[0].test],
    }
    scores = {
        split: [
            scoring.compute_constant_score(data.get_labels(part))
            for part in split_parts
            if part is not None
        ]
        for split, split_parts in parts.items()
    }
    return {
        split: [BaselineScore(name=name, score=_average_scores(split_scores))]
        for split, split_scores in scores.items()
        if split_scores
    }


def _average_scores(scores: Sequence[float | None]) -> float | None:
    defined = [score for score in scores if score is not None]
    return math.fsum(defined) / len(defined) if defined else None
