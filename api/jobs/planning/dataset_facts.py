"""Summarize a job's data for its row: counts, digests, leaks, constant baselines, the metric."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import cast

from api.jobs.planning.job_data import JobData
from api.jobs.planning.job_files import build_hub_sources
from api.jobs.request_schemas import JobRequest
from shared.datasets import InputFile, SplitPart
from shared.db.tables import File
from shared.domain.errors import InvalidValue
from shared.domain.job_facts import (
    BaselineScore,
    BaselineScores,
    DatasetFacts,
    LabelCount,
    NumericSummary,
    RowCounts,
)
from shared.domain.task import Label, TaskType
from shared.metrics import Scoring, choose_default_metric, list_metrics


def build_dataset_facts(
    data: JobData, files: Mapping[InputFile, File], references: Mapping[str, str]
) -> DatasetFacts:
    """Return row and label counts, and the digests of the files; of fold 0 under k-fold.

    ``references`` are the request's fields with data sets of the hub.
    """
    is_regression = data.task.type is TaskType.REGRESSION
    return DatasetFacts(
        rows=RowCounts(
            train=len(data.train_labels),
            validation=len(data.validation_labels),
            test=len(data.test_labels),
        ),
        labels=_count_labels(data),
        training_sha256=_get_sha256(files, InputFile.TRAINING),
        validation_sha256=_get_sha256(files, InputFile.VALIDATION),
        test_sha256=_get_sha256(files, InputFile.TEST),
        leakage={name: leak.summarize() for name, leak in data.split_leaks.items()},
        numbers=summarize_numeric_labels(data.train_labels) if is_regression else None,
        folds=data.split.folds,
        hub=build_hub_sources(references, files) or None,
    )


def _get_sha256(files: Mapping[InputFile, File], source: InputFile) -> str | None:
    return files[source].sha256 if source in files else None


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
