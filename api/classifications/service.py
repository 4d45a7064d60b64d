"""Asking published models: the rows, the inputs against the task, the models from the cache, the answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.classifications.schemas import (
    ClassificationObject,
    ClassificationRequest,
    ClassificationTarget,
    ClassificationUsage,
    DisagreementObject,
    Input,
    TextPair,
)
from api.dependencies import Parts
from shared.db.models import Models
from shared.db.runs import Runs
from shared.db.tables import Job, Model
from shared.domain import ids
from shared.domain.errors import InvalidValue, NoEnsemble
from shared.domain.task import Label, Task, TaskType

if TYPE_CHECKING:  # numpy and onnxruntime are loaded by whoever first asks a model
    from api.serving.answers import Answer
    from api.serving.classifier import Text

UNNAMED_TARGET = "label"


@dataclass(frozen=True)
class Asked:
    """Who is to answer."""

    task: Task
    members: list[Model]


def classify(parts: Parts, request: ClassificationRequest) -> ClassificationObject:
    """Raises ModelNotFound, NoEnsemble, ModelNotServed, ServiceBusy, and InvalidValue for inputs that the model's task does not have."""
    who = asked(parts, request.model, ensemble=request.ensemble)
    inputs = request.input if isinstance(request.input, list) else [request.input]
    texts = _texts(inputs, who.task, listed=isinstance(request.input, list))
    with parts.serving.admitted():
        answered = parts.serving.answers(who.members, who.task, texts)
    results = [
        _target(answer, truncated, who.task, everything=request.return_all_scores)
        for answer, truncated in zip(answered.answers, answered.truncated, strict=True)
    ]
    column = who.task.label_column
    name = column if isinstance(column, str) else UNNAMED_TARGET
    return ClassificationObject(
        id=ids.classification_id(),
        created=int(time.time()),
        model=request.model,
        members=[member.id for member in who.members],
        labels=who.task.label_names,
        results=[{name: result} for result in results],
        truncated=sum(answered.truncated),
        usage=ClassificationUsage(prompt_tokens=answered.tokens, total_tokens=answered.tokens),
    )


def asked(parts: Parts, model_id: str, *, ensemble: bool) -> Asked:
    """Raises ModelNotFound, NoEnsemble, and InvalidValue for a base model."""
    if model_id in parts.catalogue.names():
        raise InvalidValue(
            f"{model_id} is a base model, which has not learned any labels; name a fine-tuned one.",
            param="model",
        )
    with parts.database.read() as session:
        models = Models(session, parts.owner_id)
        model = models.get(model_id)
        task = Task.model_validate(session.get_one(Job, model.job_id).task)
        if not ensemble:
            return Asked(task, [model])
        kept = models.of_job(model.job_id)
        degenerate = {run.id for run in Runs(session).of_job(model.job_id) if run.degenerate}
    members = [member for member in kept if member.run_id not in degenerate] or list(kept)
    if len(members) < 2:
        why = (
            'create jobs with artifacts.keep "all_runs" for one.'
            if len(kept) < 2
            else f"the other {len(kept) - 1} that it has kept are of degenerate runs, which do not vote."
        )
        raise NoEnsemble(
            f"Job {model.job_id} has one model that can answer, and an ensemble takes two; {why}",
            param="ensemble",
        )
    return Asked(task, members)


def _texts(inputs: Sequence[Input], task: Task, *, listed: bool) -> list[Text]:
    """Raises InvalidValue at the first input of the wrong kind."""
    pairs = task.text_pair_column is not None
    texts: list[Text] = []
    for index, given in enumerate(inputs):
        first, second = (
            (given.text_a, given.text_b) if isinstance(given, TextPair) else (given, None)
        )
        if (second is not None) != pairs:
            kind = (
                'pairs of texts, {"text_a": …, "text_b": …}' if pairs else "single texts, not pairs"
            )
            raise InvalidValue(
                f"This model was trained on {kind}.", param=f"input.{index}" if listed else "input"
            )
        texts.append(first if second is None else (first, second))
    return texts


def _target(
    answer: Answer, truncated: bool, task: Task, *, everything: bool
) -> ClassificationTarget:
    told = (
        range(task.num_outputs)
        if everything or task.type is TaskType.REGRESSION
        else _indices(answer.predicted)
    )
    apart = answer.disagreement
    return ClassificationTarget(
        scores={task.outputs[index]: answer.scores[index] for index in told},
        predicted=named(answer.predicted, task.label_names),
        truncated=truncated,
        disagreement=None if apart is None else DisagreementObject(**vars(apart)),
    )


def _indices(predicted: Label) -> Sequence[int]:
    return predicted if isinstance(predicted, tuple) else [int(predicted)]


def named(predicted: Label, names: Sequence[str]) -> str | list[str] | float:
    """The label by its name, the labels by theirs, or a regression's number."""
    match predicted:
        case tuple():
            return [names[index] for index in predicted]
        case int():
            return names[predicted]
        case float():
            return predicted
