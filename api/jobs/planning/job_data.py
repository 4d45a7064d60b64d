"""A job's files, read under its task and split as its worker will split them: counts and facts for the job's row."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, pstdev
from typing import Any, NamedTuple, cast

from api.dependencies import Parts
from api.files.service import opened
from api.hub.reference import HUB
from api.jobs.planning.request_validation import refuse_class_weights, refuse_conflicts
from api.jobs.schemas import JobRequest
from shared.datasets import (
    FileSplit,
    Part,
    Source,
    Table,
    folds_of,
    group_column,
    load_examples,
    resolve_task,
    split_files,
)
from shared.datasets.split.leakage import Leak, Seen, digests, leak
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import InvalidValue
from shared.domain.task import Label, SplitRequest, Task, TaskType
from shared.encoders.catalogue import EncoderFacts
from shared.metrics import Scoring, default_metric, metric_names

_PURPOSES = frozenset({"fine-tune", "user_data", "evals"})


class FileRows(NamedTuple):
    """What of a file's rows is kept once it is read: not the texts, which may be large."""

    labels: Sequence[Label]
    groups: Sequence[str] | None
    digests: Sequence[bytes]


@dataclass(frozen=True)
class Data:
    """The rows of a job and how each fold parts them; the worker makes the same splits from the same rule."""

    task: Task
    split: SplitRequest
    files: Mapping[Source, FileRows]
    folds: Sequence[FileSplit]
    """One, unless the split is k-fold."""

    @property
    def train(self) -> list[Label]:
        """Labels of the training rows; under k-fold the first fold's, as the two below."""
        return self.labels(self.folds[0].train)

    @property
    def validation(self) -> list[Label]:
        return self.labels(self.folds[0].validation)

    @property
    def test(self) -> list[Label]:
        return self.labels(self.folds[0].test)

    def labels(self, part: Part | None) -> list[Label]:
        return [] if part is None else [self.files[part.source].labels[row] for row in part.rows]

    @cached_property
    def leaks(self) -> dict[str, Leak]:
        """What of the validation and of the test rows has a text that is trained on too, in whichever fold; nothing for a split without."""
        first = self.folds[0]
        trained = first.train
        if len(self.folds) > 1:
            trained = Part(
                trained.source, [*trained.rows, *first.validation.rows]
            )  # what one fold holds out another trains on
        found = {
            "validation": Leak.joined(
                self._leak(fold.train, fold.validation) for fold in self.folds
            ),
            "test": self._leak(trained, first.test),
        }
        return {name: leaked for name, leaked in found.items() if leaked.rows}

    def _leak(self, train: Part, other: Part | None) -> Leak:
        return leak(self._seen(train), self._seen(other)) if other is not None else Leak([], 0)

    def _seen(self, part: Part) -> Seen:
        file = self.files[part.source]
        return Seen(file.digests, file.labels, part.rows)


def data_files(parts: Parts, request: JobRequest) -> dict[Source, File]:
    """The rows of the files that the request names, those of the hub fetched.

    Raises FileNotFound, InvalidValue for a file that is a result, and what ``api.hub.service.stored`` raises.
    """
    named: dict[Source, str | None] = {source: getattr(request, source) for source in Source}
    return {
        source: _data_file(parts, file_id, source)
        for source, file_id in named.items()
        if file_id is not None
    }


def _data_file(parts: Parts, file_id: str, param: Source) -> File:
    if file_id.startswith(HUB):
        from api.hub.service import stored  # an HTTP client, for whoever asks for it

        return stored(parts, file_id, param)
    with parts.database.read() as session:
        file = Files(session, parts.owner_id).get(file_id, param=param)
    if file.purpose not in _PURPOSES or file.validation is None:
        raise InvalidValue(f"{file_id} is a result file, not a data set.", param=param)
    return file


def hub_references(request: JobRequest) -> dict[str, str]:
    """The files that were named as data sets of the hub, as they were: the job's row has the ids of what they stood for."""
    named = {str(source): getattr(request, source) or "" for source in Source}
    return {source: name for source, name in named.items() if name.startswith(HUB)}


def hub_facts(references: Mapping[str, str], files: Mapping[Source, File]) -> dict[str, Any]:
    """``hub``, where there are any: what was asked for, and the name of the file, which tells the commit."""
    found = {
        name: {"asked": asked, "filename": files[Source(name)].filename}
        for name, asked in references.items()
    }
    return {"hub": found} if found else {}


def read_data(
    parts: Parts, request: JobRequest, facts: EncoderFacts, files: Mapping[Source, File]
) -> Data:
    """Raises InvalidValue for data, splits and settings that do not fit each other."""
    refuse_conflicts(request)
    by_header = request.task.header != "auto"
    param = "task.header" if by_header else Source.TRAINING
    with opened(parts, files[Source.TRAINING], request.task.header, param=param) as table:
        split_off = Source.VALIDATION not in files
        task = resolve_task(
            request.task, table, max_positions=facts.max_position_embeddings, split=split_off
        )
        refuse_class_weights(request, task)
        rows = {Source.TRAINING: _rows(table, task, request.split, Source.TRAINING)}
    del table  # it is large, and the next one is read once this one is gone
    for source in (Source.VALIDATION, Source.TEST):
        if source in files:
            with opened(parts, files[source], task.header, param=source) as table:
                rows[source] = _rows(table, task, request.split, source)
            del table
    folds = [split_files(rows, task.type, request.split, fold) for fold in folds_of(request.split)]
    return Data(task, request.split, rows, folds)


def _rows(table: Table, task: Task, split: SplitRequest, source: Source) -> FileRows:
    examples = load_examples(table, task, group_by=group_column(split, source), param=source)
    return FileRows(examples.labels, examples.groups, digests(examples))


def metric_of(request: JobRequest, data: Data) -> str:
    """The metric asked for, if the task has it, or the task's default."""
    asked: str | None = request.evaluation.metric
    if asked is None:
        return default_metric(data.task.type, Counter(data.train))
    names = metric_names(data.task)
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


def dataset_facts(data: Data, files: Mapping[Source, File]) -> dict[str, Any]:
    """``rows``, ``labels`` or ``numbers`` and the digests of the files; of a k-fold split the rows of its first fold, and ``folds``."""
    facts: dict[str, Any] = {
        "rows": {
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "labels": _label_counts(data),
        **{
            f"{source.removesuffix('_file')}_sha256": files[source].sha256
            if source in files
            else None
            for source in Source
        },
        "leakage": {name: found.facts() for name, found in data.leaks.items()},
    }
    if data.task.type is TaskType.REGRESSION:
        facts["numbers"] = numbers_of(data.train)
    if data.split.folds is not None:
        facts["folds"] = data.split.folds
    return facts


def _label_counts(data: Data) -> list[dict[str, Any]]:
    counts = Counter(
        index for label in data.train for index in (label if isinstance(label, tuple) else (label,))
    )
    return [
        {"label": name, "count": counts[index]} for index, name in enumerate(data.task.label_names)
    ]


def numbers_of(labels: Sequence[Label]) -> dict[str, float]:
    """Where a regression's training labels lie; std as of a population."""
    numbers = cast(Sequence[float], labels)
    return {
        "mean": fmean(numbers),
        "std": pstdev(numbers),
        "min": min(numbers),
        "max": max(numbers),
    }


def majority_baselines(data: Data, metric: str) -> dict[str, Any]:
    """What one and the same answer to every row reaches, by split; under k-fold the mean over the folds."""
    scoring = Scoring(data.task, metric)
    name = "mean" if data.task.type is TaskType.REGRESSION else "majority"
    parts: dict[str, list[Part | None]] = {
        "validation": [fold.validation for fold in data.folds],
        "test": [data.folds[0].test],
    }
    answers = {
        split: [scoring.constant_answer(data.labels(part)) for part in of_folds if part is not None]
        for split, of_folds in parts.items()
    }
    return {
        split: [{"name": name, "score": _mean(scores)}]
        for split, scores in answers.items()
        if scores
    }


def _mean(scores: Sequence[float | None]) -> float | None:
    defined = [score for score in scores if score is not None]
    return math.fsum(defined) / len(defined) if defined else None
