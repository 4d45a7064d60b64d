"""From a request to a job's row: the file read, the task and the recipe resolved, the split
counted. Stores nothing.
"""

from dataclasses import replace

from api.dependencies import AppServices
from api.jobs.openai_mapping import (
    merge_hyperparameters,
    merge_method_settings,
    resolve_hyperparameters,
    scale_learning_rate,
)
from api.jobs.planning.baseline_run import build_baselines_run
from api.jobs.planning.data_warnings import list_data_warnings
from api.jobs.planning.job_data import (
    build_dataset_facts,
    build_hub_facts,
    list_hub_references,
    load_data_files,
    read_job_data,
    resolve_metric,
    score_majority_baselines,
)
from api.jobs.planning.pilot_planning import drop_settled_settings, plan_discard, plan_pilots
from api.jobs.planning.run_rows import build_main_runs
from api.jobs.schemas import JobRequest
from api.jobs.webhook_schemas import check_public_address
from shared.datasets import InputFile
from shared.db.models import Models
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.naming import FINE_TUNED, base_name
from shared.domain.states import JobState
from shared.encoders.catalogue import EncoderFacts
from shared.infra.hardware import auto_precision, threads_of
from shared.recipe import resolve_recipe


def plan_job(services: AppServices, request: JobRequest) -> tuple[Job, list[Run]]:
    """The rows to store. Raises InvalidValue, ModelNotAllowed and FileNotFound with the
    offending ``param``.
    """
    check_public_address(services.settings, request.webhook)
    request = merge_method_settings(request)
    recipe_request = merge_hyperparameters(request)
    facts = get_encoder_facts(services, request.model)
    files, references = load_data_files(services, request), list_hub_references(request)
    data = read_job_data(services, request, facts, files)
    resolution = scale_learning_rate(
        resolve_recipe(
            recipe_request, facts, len(data.train_labels), auto_precision(services.settings)
        ),
        request,
    )
    resolution = drop_settled_settings(resolution, facts.num_blocks)
    metric = resolve_metric(request, data)
    job = Job(
        id=ids.job_id(),
        owner_id=services.owner_id,
        model=request.model,
        **{source: files[source].id if source in files else None for source in InputFile},
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
        dataset=build_dataset_facts(data, files) | build_hub_facts(references, files),
        baselines=score_majority_baselines(data, metric),
        warnings=[*list_data_warnings(data, request), *_list_hyperparameter_warnings(request)],
        webhook=None if request.webhook is None else request.webhook.model_dump(mode="json"),
        status=JobState.QUEUED,
        result_files=[],
    )
    runs = build_main_runs(job, request, resolution.recipe.max_steps)
    pilots = plan_pilots(job, resolution, facts.num_blocks, runs[0].fold)
    job.threads = threads_of(services.settings, len(pilots) + len(runs))
    return job, [*pilots, build_baselines_run(job), *plan_discard(job, request, runs)]


def get_encoder_facts(services: AppServices, model: str) -> EncoderFacts:
    """Of a base model, or of a fine-tuned one, which is built as the base model that it
    descends from.

    Raises ModelNotAllowed, or ModelInUse while a fine-tuned one may still be replaced.
    """
    if not model.startswith(FINE_TUNED):
        return services.catalogue.facts(model)
    with services.database.read() as session:
        Models(session, services.owner_id).for_job(model)
    return replace(services.catalogue.facts(base_name(model)), name=model)


def _list_hyperparameter_warnings(request: JobRequest) -> list[dict[str, str]]:
    epochs = resolve_hyperparameters(request).n_epochs
    if epochs == "auto":
        return []
    return [
        {
            "code": "n_epochs_taken_at_its_word",
            "message": f"n_epochs {epochs} decides the length; on small data a length in steps "
            "(recipe.max_steps) is usually what stability needs.",
        }
    ]
