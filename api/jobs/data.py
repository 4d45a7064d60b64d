"""A job's files, read under its task and split as its worker will split them: counts, facts and warnings for the job's row."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from api.files.service import opened
from api.jobs.schemas import JobRequest
from api.parts import Parts
from shared.catalogue import EncoderFacts
from shared.datasets import load_examples, resolve_task, stratified_split
from shared.datasets.findings import FEW_VALIDATION_ROWS
from shared.db.files import Files
from shared.db.tables import File
from shared.errors import InvalidValue
from shared.metrics import constant_answer_score
from shared.task import Task

_PURPOSES = frozenset({"fine-tune", "user_data", "evals"})


@dataclass(frozen=True)
class Data:
    """The rows of a job's splits: label indices only; the worker makes the same splits from the same rule."""

    task: Task
    train: list[int]
    validation: list[int]
    test: list[int]


def data_file(parts: Parts, file_id: str, param: str) -> File:
    with parts.database.read() as session:
        file = Files(session, parts.owner_id).get(file_id, param=param)
    if file.purpose not in _PURPOSES or file.validation is None:
        raise InvalidValue(f"{file_id} is a result file, not a data set.", param=param)
    return file


def read_data(parts: Parts, request: JobRequest, facts: EncoderFacts, training: File, validation: File | None) -> Data:
    split_off = validation is None
    by_header = request.task.header != "auto"
    with opened(parts, training, request.task.header, param="task.header" if by_header else "training_file") as table:
        task = resolve_task(request.task, table, max_positions=facts.max_position_embeddings, split=split_off)
        labels = load_examples(table, task).labels
    del table  # it is large, and the next one is read once this one is gone
    if validation is None:
        split = stratified_split(labels, request.split)
        return Data(task, *([labels[i] for i in rows] for rows in (split.train, split.validation, split.test)))
    if "validation_fraction" in request.split.model_fields_set:
        raise InvalidValue(
            "validation_file is given, so there is nothing to split off.", param="split.validation_fraction"
        )
    with opened(parts, validation, task.header, param="validation_file") as table:
        held_out = load_examples(table, task, param="validation_file").labels
    split = stratified_split(labels, request.split, validation=False)
    return Data(task, [labels[i] for i in split.train], held_out, [labels[i] for i in split.test])


def dataset_facts(data: Data, training: File, validation: File | None) -> dict[str, Any]:
    counts = Counter(data.train)
    return {
        "rows": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "labels": [{"label": name, "count": counts[index]} for index, name in enumerate(data.task.label_names)],
        "training_sha256": training.sha256,
        "validation_sha256": None if validation is None else validation.sha256,
    }


def majority_baselines(data: Data, metric: str) -> dict[str, Any]:
    positive = data.task.label_names.index(data.task.positive_label) if data.task.positive_label is not None else None
    names = len(data.task.label_names)
    return {
        split: [{"name": "majority", "score": constant_answer_score(metric, labels, names, positive)}]
        for split, labels in (("validation", data.validation), ("test", data.test))
        if labels
    }


def data_warnings(data: Data) -> list[dict[str, str]]:
    found = []
    if len(data.validation) < FEW_VALIDATION_ROWS:
        found.append(
            {
                "code": "small_validation_set",
                "message": f"Only {len(data.validation)} validation rows: one row more or less right moves accuracy by "
                f"{100 / len(data.validation):.1f} points.",
            }
        )
    missing = [name for index, name in enumerate(data.task.label_names) if index not in set(data.validation)]
    if missing:
        found.append(
            {"code": "label_not_in_validation", "message": f"No validation row has the label {', '.join(missing[:5])}."}
        )
    return found
