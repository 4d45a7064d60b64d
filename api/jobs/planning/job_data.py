"""A job's files, read under its task and split as its worker will split them: counts and facts
for the job's row.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, pstdev
from typing import Any, NamedTuple, cast

from api.dependencies import AppServices
from api.files.service import open_table
from api.hub.reference import HUB_PREFIX
from api.jobs.planning.request_validation import check_class_weights, check_split_settings
from api.jobs.schemas import JobRequest
from shared.datasets import (
    FileSplit,
    InputFile,
    SplitPart,
    Table,
    get_group_column,
    list_folds,
    load_examples,
    resolve_task,
    split_files,
)
from shared.datasets.split.leakage import Leak, PartRows, find_leak, hash_texts
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import InvalidValue
from shared.domain.task import Label, SplitRequest, Task, TaskType
from shared.encoders.catalogue import EncoderFacts
from shared.metrics import Scoring, choose_default_metric, list_metrics

_DATASET_PURPOSES = frozenset({"fine-tune", "user_data", "evals"})


class FileRows(NamedTuple):
    """What of a file's rows is kept once it is read: not the texts, which may be large."""

    labels: Sequence[Label]
    groups: Sequence[str] | None
    digests: Sequence[bytes]


@dataclass(frozen=True)
class JobData:
    """The rows of a job and how each fold parts them; the worker makes the same splits from the
    same rule.
    """

    task: Task
    split: SplitRequest
    files: Mapping[InputFile, FileRows]
    folds: Sequence[FileSplit]
    """One, unless the split is k-fold."""

    @property
    def train_labels(self) -> list[Label]:
        """Labels of the training rows; under k-fold the first fold's, as the two below."""
        return self.get_labels(self.folds[0].train)

    @property
    def validation_labels(self) -> list[Label]:
        return self.get_labels(self.folds[0].validation)

    @property
    def test_labels(self) -> list[Label]:
        return self.get_labels(self.folds[0].test)

    def get_labels(self, part: SplitPart | None) -> list[Label]:
        return [] if part is None else [self.files[part.source].labels[row] for row in part.rows]

    @cached_property
    def split_leaks(self) -> dict[str, Leak]:
        """What of the validation and of the test rows has a text that is trained on too, in
        whichever fold; nothing for a split without.
        """
        first = self.folds[0]
        trained = first.train
        if len(self.folds) > 1:
            trained = SplitPart(
                trained.source, [*trained.rows, *first.validation.rows]
            )  # what one fold holds out another trains on
        found = {
            "validation": Leak.merge_leaks(
                self._find_leak(fold.train, fold.validation) for fold in self.folds
            ),
            "test": self._find_leak(trained, first.test),
        }
        return {name: leaked for name, leaked in found.items() if leaked.rows}

    def _find_leak(self, train: SplitPart, other: SplitPart | None) -> Leak:
        return (
            find_leak(self._get_part_rows(train), self._get_part_rows(other))
            if other is not None
            else Leak([], 0)
        )

    def _get_part_rows(self, part: SplitPart) -> PartRows:
        file = self.files[part.source]
        return PartRows(file.digests, file.labels, part.rows)


def load_data_files(services: AppServices, request: JobRequest) -> dict[InputFile, File]:
    """The rows of the files that the request names, those of the hub fetched.

    Raises FileNotFound, InvalidValue for a file that is a result, and what
    ``api.hub.service.stored`` raises.
    """
    named: dict[InputFile, str | None] = {source: getattr(request, source) for source in InputFile}
    return {
        source: _load_data_file(services, file_id, source)
        for source, file_id in named.items()
        if file_id is not None
    }


def _load_data_file(services: AppServices, file_id: str, param: InputFile) -> File:
    if file_id.startswith(HUB_PREFIX):
        from api.hub.service import fetch_dataset  # an HTTP client, for whoever asks for it

        return fetch_dataset(services, file_id, param)
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param=param)
    if file.purpose not in _DATASET_PURPOSES or file.validation is None:
        raise InvalidValue(f"{file_id} is a result file, not a data set.", param=param)
    return file


def list_hub_references(request: JobRequest) -> dict[str, str]:
    """The files that were named as data sets of the hub, as they were: the job's row has the
    ids of what they stood for.
    """
    named = {str(source): getattr(request, source) or "" for source in InputFile}
    return {source: name for source, name in named.items() if name.startswith(HUB_PREFIX)}


def build_hub_facts(
    references: Mapping[str, str], files: Mapping[InputFile, File]
) -> dict[str, Any]:
    """``hub``, where there are any: what was asked for, and the name of the file, which tells
    the commit.
    """
    found = {
        name: {"asked": asked, "filename": files[InputFile(name)].filename}
        for name, asked in references.items()
    }
    return {"hub": found} if found else {}


def read_job_data(
    services: AppServices, request: JobRequest, facts: EncoderFacts, files: Mapping[InputFile, File]
) -> JobData:
    """Raises InvalidValue for data, splits and settings that do not fit each other."""
    check_split_settings(request)
    by_header = request.task.header != "auto"
    param = "task.header" if by_header else InputFile.TRAINING
    with open_table(services, files[InputFile.TRAINING], request.task.header, param=param) as table:
        split_off = InputFile.VALIDATION not in files
        task = resolve_task(
            request.task,
            table,
            max_positions=facts.max_position_embeddings,
            needs_validation_split=split_off,
        )
        check_class_weights(request, task)
        rows = {InputFile.TRAINING: _read_rows(table, task, request.split, InputFile.TRAINING)}
    del table  # it is large, and the next one is read once this one is gone
    for source in (InputFile.VALIDATION, InputFile.TEST):
        if source in files:
            with open_table(services, files[source], task.header, param=source) as table:
                rows[source] = _read_rows(table, task, request.split, source)
            del table
    folds = [
        split_files(rows, task.type, request.split, fold) for fold in list_folds(request.split)
    ]
    return JobData(task, request.split, rows, folds)


def _read_rows(table: Table, task: Task, split: SplitRequest, source: InputFile) -> FileRows:
    examples = load_examples(table, task, group_by=get_group_column(split, source), param=source)
    return FileRows(examples.labels, examples.groups, hash_texts(examples))


def resolve_metric(request: JobRequest, data: JobData) -> str:
    """The metric asked for, if the task has it, or the task's default."""
    asked: str | None = request.evaluation.metric
    if asked is None:
        return choose_default_metric(data.task.type, Counter(data.train_labels))
    names = list_metrics(data.task)
    if asked not in names:
        why = (
            "needs two labels"
            if asked == "f1" and data.task.type is TaskType.SINGLE_LABEL
            else "is not for this task"
        )
        raise InvalidValue(
            f"{asked} {why}; a {data.task.type} task is scored by {', '.join(names)}.",
            param="evaluation.metric",
        )
    return asked


def build_dataset_facts(data: JobData, files: Mapping[InputFile, File]) -> dict[str, Any]:
    """``rows``, ``labels`` or ``numbers`` and the digests of the files; of a k-fold split the
    rows of its first fold, and ``folds``.
    """
    facts: dict[str, Any] = {
        "rows": {
            "train": len(data.train_labels),
            "validation": len(data.validation_labels),
            "test": len(data.test_labels),
        },
        "labels": _count_labels(data),
        **{
            f"{source.removesuffix('_file')}_sha256": files[source].sha256
            if source in files
            else None
            for source in InputFile
        },
        "leakage": {name: found.to_dict() for name, found in data.split_leaks.items()},
    }
    if data.task.type is TaskType.REGRESSION:
        facts["numbers"] = summarize_numeric_labels(data.train_labels)
    if data.split.folds is not None:
        facts["folds"] = data.split.folds
    return facts


def _count_labels(data: JobData) -> list[dict[str, Any]]:
    counts = Counter(
        index
        for label in data.train_labels
        for index in (label if isinstance(label, tuple) else (label,))
    )
    return [
        {"label": name, "count": counts[index]} for index, name in enumerate(data.task.label_names)
    ]


def summarize_numeric_labels(labels: Sequence[Label]) -> dict[str, float]:
    """Where a regression's training labels lie; std as of a population."""
    numbers = cast(Sequence[float], labels)
    return {
        "mean": fmean(numbers),
        "std": pstdev(numbers),
        "min": min(numbers),
        "max": max(numbers),
    }


def score_majority_baselines(data: JobData, metric: str) -> dict[str, Any]:
    """What one and the same answer to every row reaches, by split; under k-fold the mean over
    the folds.
    """
    scoring = Scoring(data.task, metric)
    name = "mean" if data.task.type is TaskType.REGRESSION else "majority"
    parts: dict[str, list[SplitPart | None]] = {
        "validation": [fold.validation for fold in data.folds],
        "test": [data.folds[0].test],
    }
    answers = {
        split: [
            scoring.compute_constant_score(data.get_labels(part))
            for part in of_folds
            if part is not None
        ]
        for split, of_folds in parts.items()
    }
    return {
        split: [{"name": name, "score": _average_scores(scores)}]
        for split, scores in answers.items()
        if scores
    }


def _average_scores(scores: Sequence[float | None]) -> float | None:
    defined = [score for score in scores if score is not None]
    return math.fsum(defined) / len(defined) if defined else None
