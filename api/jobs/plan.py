"""From a request to a job's row: the file read, the task and the recipe resolved, the split counted. Stores nothing."""

from collections import Counter

from api.jobs.baselines import baselines_run
from api.jobs.data import data_file, data_warnings, dataset_facts, majority_baselines, read_data
from api.jobs.hyperparameters import hyperparameters_of, merge, scaled
from api.jobs.runs import main_runs
from api.jobs.schemas import JobRequest
from api.parts import Parts
from shared import ids
from shared.db.tables import Job, Run
from shared.errors import InvalidValue
from shared.metrics import default_metric
from shared.recipe import resolve
from shared.states import JobState


def plan(parts: Parts, request: JobRequest) -> tuple[Job, list[Run]]:
    """The rows to store. Raises InvalidValue, ModelNotAllowed, FileNotFound, TaskNotSupported with the offending ``param``."""
    recipe_request = merge(request)
    facts = parts.catalogue.facts(request.model)
    training = data_file(parts, request.training_file, "training_file")
    validation = (
        None if request.validation_file is None else data_file(parts, request.validation_file, "validation_file")
    )
    data = read_data(parts, request, facts, training, validation)
    resolution = scaled(resolve(recipe_request, facts, len(data.train)), request)
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
        dataset=dataset_facts(data, training, validation),
        baselines=majority_baselines(data, metric),
        warnings=[*data_warnings(data), *_hyperparameter_warnings(request)],
        status=JobState.QUEUED,
        result_files=[],
    )
    return job, [baselines_run(job), *main_runs(job, request, resolution.recipe.max_steps)]


def _hyperparameter_warnings(request: JobRequest) -> list[dict[str, str]]:
    epochs = hyperparameters_of(request).n_epochs
    if epochs == "auto":
        return []
    return [
        {
            "code": "n_epochs_taken_at_its_word",
            "message": f"n_epochs {epochs} decides the length; on small data a length in steps "
            "(recipe.max_steps) is usually what stability needs.",
        }
    ]
