"""From a request to a job's row: the file read, the task and the recipe resolved, the split counted. Stores nothing."""

from dataclasses import replace

from api.dependencies import Parts
from api.jobs.openai_mapping import hyperparameters_of, merge, scaled, with_method_settings
from api.jobs.planning.baseline_run import baselines_run
from api.jobs.planning.data_warnings import data_warnings
from api.jobs.planning.job_data import (
    data_files,
    dataset_facts,
    hub_facts,
    hub_references,
    majority_baselines,
    metric_of,
    read_data,
)
from api.jobs.planning.pilot_planning import plan_discard, plan_pilots, searched
from api.jobs.planning.run_rows import main_runs
from api.jobs.schemas import JobRequest
from api.jobs.webhook_schemas import refuse_private
from shared.datasets import Source
from shared.db.models import Models
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.naming import FINE_TUNED, base_name
from shared.domain.states import JobState
from shared.encoders.catalogue import EncoderFacts
from shared.infra.hardware import auto_precision, threads_of
from shared.recipe import resolve


def plan(parts: Parts, request: JobRequest) -> tuple[Job, list[Run]]:
    """The rows to store. Raises InvalidValue, ModelNotAllowed and FileNotFound with the offending ``param``."""
    refuse_private(parts.settings, request.webhook)
    request = with_method_settings(request)
    recipe_request = merge(request)
    facts = encoder_facts(parts, request.model)
    files, references = data_files(parts, request), hub_references(request)
    data = read_data(parts, request, facts, files)
    resolution = scaled(
        resolve(recipe_request, facts, len(data.train), auto_precision(parts.settings)), request
    )
    resolution = searched(resolution, facts.num_blocks)
    metric = metric_of(request, data)
    job = Job(
        id=ids.job_id(),
        owner_id=parts.owner_id,
        model=request.model,
        **{source: files[source].id if source in files else None for source in Source},
        seed=request.seed or 0,
        suffix=request.suffix,
        job_metadata=request.metadata,
        request=request.model_dump(
            mode="json",
            exclude_unset=True,
            include={
                *("task", "split", "recipe", "runs", "evaluation", "method", "hyperparameters"),
                *("early_discard", "artifacts"),
            },
        )
        | references,
        task=data.task.model_dump(mode="json"),
        split=request.split.model_dump(mode="json"),
        resolved_recipe=None if resolution.automatic else resolution.recipe.model_dump(mode="json"),
        recipe_notes=resolution.notes,
        metric=metric,
        dataset=dataset_facts(data, files) | hub_facts(references, files),
        baselines=majority_baselines(data, metric),
        warnings=[*data_warnings(data, request), *_hyperparameter_warnings(request)],
        webhook=None if request.webhook is None else request.webhook.model_dump(mode="json"),
        status=JobState.QUEUED,
        result_files=[],
    )
    runs = main_runs(job, request, resolution.recipe.max_steps)
    pilots = plan_pilots(job, resolution, facts.num_blocks, runs[0].fold)
    job.threads = threads_of(parts.settings, len(pilots) + len(runs))
    return job, [*pilots, baselines_run(job), *plan_discard(job, request, runs)]


def encoder_facts(parts: Parts, model: str) -> EncoderFacts:
    """Of a base model, or of a fine-tuned one, which is built as the base model that it descends from.

    Raises ModelNotAllowed, or ModelInUse while a fine-tuned one may still be replaced.
    """
    if not model.startswith(FINE_TUNED):
        return parts.catalogue.facts(model)
    with parts.database.read() as session:
        Models(session, parts.owner_id).for_job(model)
    return replace(parts.catalogue.facts(base_name(model)), name=model)


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
