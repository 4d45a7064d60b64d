"""Classification of texts: check the inputs, find the models, build the response."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from api.classifications.loaded_models import ClassifiedTexts, EnsembleModels
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
from api.models.uploaded import is_uploaded
from api.serving.pass_work import Requester
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.runs import Runs
from shared.domain import ids
from shared.domain.errors import InvalidValue, NoEnsemble
from shared.domain.task import Label, Task, TaskType
from shared.timings import CLASSIFICATION_WAIT_S

if TYPE_CHECKING:  # numpy and onnxruntime are loaded on first use
    from api.serving.classifier import Text
    from api.serving.predictions import Prediction

DEFAULT_TARGET_NAME = "label"


def classify_inputs(
    services: AppServices, request: ClassificationRequest, is_gone: Callable[[], bool]
) -> bytes:
    """Classify the inputs of a request, unless its client ``is_gone``; returns the response's JSON.

    Raises ModelNotFound, NoEnsemble, ModelNotServed, ServiceBusy, and InvalidValue for inputs that
    do not fit the model's task.
    """
    models = find_ensemble(services, request.model, ensemble=request.ensemble)
    inputs = request.input if isinstance(request.input, list) else [request.input]
    texts = _collect_texts(inputs, models.task, is_list=isinstance(request.input, list))
    requester = Requester(services.owner_id, is_gone, CLASSIFICATION_WAIT_S)
    classified = services.model_server.classify_texts(models.members, models.task, texts, requester)
    results = [
        _build_target(
            prediction, truncated, models.task, include_all_scores=request.return_all_scores
        )
        for prediction, truncated in zip(classified.predictions, classified.truncated, strict=True)
    ]
    response = _build_classification(request.model, models, results, classified)
    return response.model_dump_json().encode()


def _build_classification(
    model_id: str,
    models: EnsembleModels,
    results: Sequence[ClassificationTarget],
    classified: ClassifiedTexts,
) -> ClassificationObject:
    label_column = models.task.label_column
    target_name = label_column if isinstance(label_column, str) else DEFAULT_TARGET_NAME
    return ClassificationObject(
        id=ids.make_classification_id(),
        created=int(time.time()),
        model=model_id,
        members=[member.id for member in models.members],
        labels=models.task.label_names,
        results=[{target_name: result} for result in results],
        truncated=sum(classified.truncated),
        usage=ClassificationUsage(
            prompt_tokens=classified.token_count, total_tokens=classified.token_count
        ),
    )


def find_ensemble(services: AppServices, model_id: str, *, ensemble: bool) -> EnsembleModels:
    """Return the models that answer for this ID: the model, or the members of the ensemble that
    its job has published under this ID. They may have been read a second ago.

    With ``ensemble``, return all models of its job whose runs are not degenerate, or all if every
    run is. Raises ModelNotFound, NoEnsemble, and InvalidValue for a base model.
    """
    return services.model_server.find_ensemble(
        (services.owner_id, model_id, ensemble),
        lambda: _read_ensemble(services, model_id, ensemble=ensemble),
    )


def _read_ensemble(services: AppServices, model_id: str, *, ensemble: bool) -> EnsembleModels:
    _require_fine_tuned(services, model_id)
    with services.database.read() as session:
        repository = Models(session, services.owner_id)
        model = repository.get(model_id)
        task = Task.model_validate(Jobs(session).get(model.job_id, services.owner_id).task)
        if not ensemble:
            if model_id != model.id:  # a name with seeds or a checkpoint means the run alone
                return EnsembleModels(task, [model])
            published = repository.list_published(model.job_id)
            return EnsembleModels(task, published.ensembles.get(model.id, [model]))
        kept = repository.list_by_job(model.job_id)
        runs = {run.id: run for run in Runs(session).list_by_job(model.job_id)}
    kept = [member for member in kept if member.run_id in runs]  # without a distilled model
    members = [member for member in kept if not runs[member.run_id].degenerate] or kept
    if len(members) < 2:
        raise _build_no_ensemble_error(model.job_id, len(kept))
    return EnsembleModels(task, members)


def _require_fine_tuned(services: AppServices, model_id: str) -> None:
    if services.catalogue.is_known(model_id) or is_uploaded(model_id):
        raise InvalidValue(
            f"{model_id} is a base model, which has no labels; give a fine-tuned model.",
            param="model",
        )


def _build_no_ensemble_error(job_id: str, kept_count: int) -> NoEnsemble:
    reason = (
        f'job {job_id} kept only one; clone it with artifacts.keep "all_runs" to keep all.'
        if kept_count < 2
        else f"only one of the {kept_count} models of job {job_id} comes from a run that is not "
        "degenerate; leave out ensemble."
    )
    return NoEnsemble(f"An ensemble needs at least two models, but {reason}", param="ensemble")


def _collect_texts(inputs: Sequence[Input], task: Task, *, is_list: bool) -> list[Text]:
    """Return the inputs as texts or pairs. Raises InvalidValue at the first of the wrong kind."""
    expects_pairs = task.text_pair_column is not None
    texts: list[Text] = []
    for index, item in enumerate(inputs):
        first, second = (item.text_a, item.text_b) if isinstance(item, TextPair) else (item, None)
        if (second is not None) != expects_pairs:
            expected = (
                'pairs; send {"text_a": …, "text_b": …}'
                if expects_pairs
                else "single texts; leave out text_b"
            )
            raise InvalidValue(
                f"This model was trained on {expected}.",
                param=f"input.{index}" if is_list else "input",
            )
        texts.append(first if second is None else (first, second))
    return texts


def _build_target(
    prediction: Prediction, truncated: bool, task: Task, *, include_all_scores: bool
) -> ClassificationTarget:
    shown_outputs = (
        range(task.num_outputs)
        if include_all_scores or task.type is TaskType.REGRESSION
        else _list_indices(prediction.predicted)
    )
    disagreement = prediction.disagreement
    return ClassificationTarget(
        scores={task.output_names[index]: prediction.scores[index] for index in shown_outputs},
        predicted=format_prediction(prediction.predicted, task.label_names),
        truncated=truncated,
        disagreement=None if disagreement is None else DisagreementObject(**vars(disagreement)),
    )


def _list_indices(predicted: Label) -> Sequence[int]:
    return predicted if isinstance(predicted, tuple) else [int(predicted)]


def format_prediction(predicted: Label, names: Sequence[str]) -> str | list[str] | float:
    """Return the name of the label, the names of the labels, or the number of a regression."""
    match predicted:
        case tuple():
            return [names[index] for index in predicted]
        case int():
            return names[predicted]
        case float():
            return predicted
