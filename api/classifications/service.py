"""Asking published models: the rows, the inputs against the task, the models from the cache,
the answers.
"""

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
from api.dependencies import AppServices
from shared.db.models import Models
from shared.db.runs import Runs
from shared.db.tables import Job, Model
from shared.domain import ids
from shared.domain.errors import InvalidValue, NoEnsemble
from shared.domain.task import Label, Task, TaskType

if TYPE_CHECKING:  # numpy and onnxruntime are loaded by whoever first asks a model
    from api.serving.answers import Answer
    from api.serving.classifier import Text

DEFAULT_TARGET_NAME = "label"


@dataclass(frozen=True)
class AnsweringModels:
    """Who is to answer."""

    task: Task
    members: list[Model]


def classify_inputs(services: AppServices, request: ClassificationRequest) -> ClassificationObject:
    """Raises ModelNotFound, NoEnsemble, ModelNotServed, ServiceBusy, and InvalidValue for
    inputs that the model's task does not have.
    """
    who = find_answering_models(services, request.model, ensemble=request.ensemble)
    inputs = request.input if isinstance(request.input, list) else [request.input]
    texts = _collect_texts(inputs, who.task, is_list=isinstance(request.input, list))
    with services.model_server.admit_request():
        answered = services.model_server.classify_texts(who.members, who.task, texts)
    results = [
        _build_target(answer, truncated, who.task, include_all_scores=request.return_all_scores)
        for answer, truncated in zip(answered.answers, answered.truncated, strict=True)
    ]
    column = who.task.label_column
    name = column if isinstance(column, str) else DEFAULT_TARGET_NAME
    return ClassificationObject(
        id=ids.classification_id(),
        created=int(time.time()),
        model=request.model,
        members=[member.id for member in who.members],
        labels=who.task.label_names,
        results=[{name: result} for result in results],
        truncated=sum(answered.truncated),
        usage=ClassificationUsage(
            prompt_tokens=answered.token_count, total_tokens=answered.token_count
        ),
    )


def find_answering_models(
    services: AppServices, model_id: str, *, ensemble: bool
) -> AnsweringModels:
    """Raises ModelNotFound, NoEnsemble, and InvalidValue for a base model."""
    if model_id in services.catalogue.names():
        raise InvalidValue(
            f"{model_id} is a base model, which has not learned any labels; name a fine-tuned one.",
            param="model",
        )
    with services.database.read() as session:
        models = Models(session, services.owner_id)
        model = models.get(model_id)
        task = Task.model_validate(session.get_one(Job, model.job_id).task)
        if not ensemble:
            return AnsweringModels(task, [model])
        kept = models.of_job(model.job_id)
        degenerate = {run.id for run in Runs(session).of_job(model.job_id) if run.degenerate}
    members = [member for member in kept if member.run_id not in degenerate] or list(kept)
    if len(members) < 2:
        why = (
            'create jobs with artifacts.keep "all_runs" for one.'
            if len(kept) < 2
            else (
                f"the other {len(kept) - 1} that it has kept are of degenerate runs, "
                "which do not vote."
            )
        )
        raise NoEnsemble(
            f"Job {model.job_id} has one model that can answer, and an ensemble takes two; {why}",
            param="ensemble",
        )
    return AnsweringModels(task, members)


def _collect_texts(inputs: Sequence[Input], task: Task, *, is_list: bool) -> list[Text]:
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
                f"This model was trained on {kind}.", param=f"input.{index}" if is_list else "input"
            )
        texts.append(first if second is None else (first, second))
    return texts


def _build_target(
    answer: Answer, truncated: bool, task: Task, *, include_all_scores: bool
) -> ClassificationTarget:
    told = (
        range(task.num_outputs)
        if include_all_scores or task.type is TaskType.REGRESSION
        else _list_indices(answer.predicted)
    )
    apart = answer.disagreement
    return ClassificationTarget(
        scores={task.outputs[index]: answer.scores[index] for index in told},
        predicted=format_prediction(answer.predicted, task.label_names),
        truncated=truncated,
        disagreement=None if apart is None else DisagreementObject(**vars(apart)),
    )


def _list_indices(predicted: Label) -> Sequence[int]:
    return predicted if isinstance(predicted, tuple) else [int(predicted)]


def format_prediction(predicted: Label, names: Sequence[str]) -> str | list[str] | float:
    """The label by its name, the labels by theirs, or a regression's number."""
    match predicted:
        case tuple():
            return [names[index] for index in predicted]
        case int():
            return names[predicted]
        case float():
            return predicted
