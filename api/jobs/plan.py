"""From a request to a job's row: the file read, the task and the recipe resolved, the split counted. Stores nothing."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.files.service import opened
from api.jobs.schemas import Hyperparameters, JobRequest
from api.parts import Parts
from shared import ids
from shared.catalogue import EncoderFacts
from shared.datasets import load_examples, resolve_task, stratified_split
from shared.datasets.findings import FEW_VALIDATION_ROWS
from shared.db.files import Files
from shared.db.tables import File, Job, Run
from shared.errors import InvalidValue
from shared.metrics import constant_answer_score, default_metric
from shared.recipe import Recipe, RecipeRequest, Resolution, resolve
from shared.states import JobState, RunState
from shared.task import Task

DEFAULT_SEEDS = 5
_PURPOSES = frozenset({"fine-tune", "user_data", "evals"})


@dataclass(frozen=True)
class Data:
    """The rows of a job's splits: label indices only; the worker makes the same splits from the same rule."""

    task: Task
    train: list[int]
    validation: list[int]
    test: list[int]


def plan(parts: Parts, request: JobRequest) -> tuple[Job, list[Run]]:
    """The rows to store. Raises InvalidValue, ModelNotAllowed, FileNotFound, TaskNotSupported with the offending ``param``."""
    recipe_request = merge(request)
    facts = parts.catalogue.facts(request.model)
    training = _file(parts, request.training_file, "training_file")
    validation = None if request.validation_file is None else _file(parts, request.validation_file, "validation_file")
    data = _read(parts, request, facts, training, validation)
    resolution = _scaled(resolve(recipe_request, facts, len(data.train)), request)
    label_counts = Counter(data.train)
    metric = request.evaluation.metric or default_metric(dict(label_counts))
    if metric == "f1" and len(data.task.label_names) != 2:
        raise InvalidValue("f1 needs two labels; with more, use f1_macro or f1_micro.", param="evaluation.metric")
    job = Job(
        id=ids.job_id(),
        owner_id=parts.owner_id,
        model=request.model,
        training_file=training.id,
        validation_file=None if validation is None else validation.id,
        seed=request.seed or 0,
        suffix=request.suffix,
        job_metadata=request.metadata,
        request=request.model_dump(
            mode="json",
            exclude_unset=True,
            include={"task", "split", "recipe", "runs", "evaluation", "method", "hyperparameters"},
        ),
        task=data.task.model_dump(mode="json"),
        split=request.split.model_dump(mode="json"),
        resolved_recipe=resolution.recipe.model_dump(mode="json"),
        recipe_notes=resolution.notes,
        metric=metric,
        threads=parts.settings.threads,
        dataset=_dataset(data, training, validation),
        baselines=_baselines(data, metric),
        warnings=_warnings(data, request),
        status=JobState.QUEUED,
        result_files=[],
    )
    return job, _runs(job, request, resolution.recipe.max_steps)


def merge(request: JobRequest) -> RecipeRequest:
    """The hosted API's hyperparameters as recipe settings. Raises InvalidValue where the two say different things."""
    given = _hyperparameters(request)
    recipe = request.recipe.model_dump(exclude_none=True)
    for name, theirs, value in (
        ("num_train_epochs", "n_epochs", given.n_epochs),
        ("train_batch_size", "batch_size", given.batch_size),
    ):
        if value == "auto":
            continue
        if name in recipe and recipe[name] != value:
            raise InvalidValue(f"hyperparameters.{theirs} and recipe.{name} disagree.", param=f"recipe.{name}")
        if name == "num_train_epochs" and "max_steps" in recipe:
            raise InvalidValue(
                "hyperparameters.n_epochs and recipe.max_steps both give a length.", param="recipe.max_steps"
            )
        recipe[name] = value
    return RecipeRequest.model_validate(recipe)


def _hyperparameters(request: JobRequest) -> Hyperparameters:
    by_method = request.method.supervised.hyperparameters if request.method is not None else None
    if by_method is not None and request.hyperparameters not in (None, by_method):
        raise InvalidValue("method.supervised.hyperparameters and hyperparameters disagree.", param="hyperparameters")
    return by_method or request.hyperparameters or Hyperparameters()


def _scaled(resolution: Resolution, request: JobRequest) -> Resolution:
    factor = _hyperparameters(request).learning_rate_multiplier
    if factor == "auto":
        return resolution
    rate = resolution.recipe.learning_rate * factor
    try:
        recipe = Recipe.model_validate({**resolution.recipe.model_dump(), "learning_rate": rate})
    except ValidationError:
        raise InvalidValue(
            f"learning_rate_multiplier {factor:g} gives the rate {rate:g}, which is not above 0 and at most 0.01.",
            param="hyperparameters.learning_rate_multiplier",
        ) from None
    notes = {
        **resolution.notes,
        "learning_rate": f"{rate:g}: {resolution.recipe.learning_rate:g} times the multiplier {factor:g}.",
    }
    return Resolution(recipe, notes)


def _file(parts: Parts, file_id: str, param: str) -> File:
    with parts.database.read() as session:
        file = Files(session, parts.owner_id).get(file_id, param=param)
    if file.purpose not in _PURPOSES or file.validation is None:
        raise InvalidValue(f"{file_id} is a result file, not a data set.", param=param)
    return file


def _read(parts: Parts, request: JobRequest, facts: EncoderFacts, training: File, validation: File | None) -> Data:
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


def _dataset(data: Data, training: File, validation: File | None) -> dict[str, Any]:
    counts = Counter(data.train)
    return {
        "rows": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "labels": [{"label": name, "count": counts[index]} for index, name in enumerate(data.task.label_names)],
        "training_sha256": training.sha256,
        "validation_sha256": None if validation is None else validation.sha256,
    }


def _baselines(data: Data, metric: str) -> dict[str, Any]:
    positive = data.task.label_names.index(data.task.positive_label) if data.task.positive_label is not None else None
    names = len(data.task.label_names)
    return {
        split: [{"name": "majority", "score": constant_answer_score(metric, labels, names, positive)}]
        for split, labels in (("validation", data.validation), ("test", data.test))
        if labels
    }


def _warnings(data: Data, request: JobRequest) -> list[dict[str, str]]:
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
    if _hyperparameters(request).n_epochs != "auto":
        found.append(
            {
                "code": "n_epochs_taken_at_its_word",
                "message": f"n_epochs {_hyperparameters(request).n_epochs} decides the length; on small data a length in steps "
                "(recipe.max_steps) is usually what stability needs.",
            }
        )
    return found


def _runs(job: Job, request: JobRequest, total_steps: int) -> list[Run]:
    first = request.seed or 0
    seeds = request.runs.seeds or [first + i for i in range(request.runs.num_seeds or DEFAULT_SEEDS)]
    if max(seeds) >= 2**31:
        raise InvalidValue("seed plus the number of runs must stay below 2147483648.", param="seed")
    return [
        Run(
            id=ids.run_id(),
            job_id=job.id,
            owner_id=job.owner_id,
            index=index,
            purpose="main",
            seed=seed,
            init_seed=seed,
            data_seed=seed,
            status=RunState.QUEUED,
            total_steps=total_steps,
            diagnosis=[],
        )
        for index, seed in enumerate(seeds)
    ]
