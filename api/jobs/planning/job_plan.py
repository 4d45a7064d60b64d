"""Plan a job: read its files, resolve its task and recipe, build its rows. Stores nothing."""

from collections.abc import Mapping, Sequence

from api.dependencies import AppServices
from api.jobs.openai_mapping import merge_method_settings, read_hosted_hyperparameters
from api.jobs.planning.baseline_run import build_baselines_run
from api.jobs.planning.data_summary import DataSummary
from api.jobs.planning.discard_plan import plan_discard
from api.jobs.planning.encoder_facts import get_encoder_facts
from api.jobs.planning.job_files import (
    list_hub_references,
    load_data_files,
    summarize_data_files,
)
from api.jobs.planning.main_runs import build_main_runs
from api.jobs.planning.request_validation import check_split_settings
from api.jobs.request_schemas import JobRequest
from api.jobs.webhook_schemas import require_public_address
from shared.datasets import InputFile
from shared.db.stages import build_pilot_runs
from shared.db.tables import File, Job, Run
from shared.domain import ids
from shared.domain.job_facts import JobWarning, WebhookTarget
from shared.domain.job_request import StoredRequest
from shared.domain.states import JobState
from shared.infra.hardware import resolve_auto_precision, resolve_threads
from shared.recipe import HostedHyperparameters, RecipeResolution, resolve_recipe
from shared.recipe.hosted import merge_hosted_hyperparameters
from shared.recipe.pilots import Candidate

_STORED_REQUEST_FIELDS = {
    "task",
    "split",
    "recipe",
    "runs",
    "evaluation",
    "method",
    "hyperparameters",
    "early_discard",
    "artifacts",
}


def plan_job(services: AppServices, request: JobRequest) -> tuple[Job, list[Run]]:
    """Return the rows to store, pilots first.

    Raises InvalidValue, ModelNotAllowed or FileNotFound with the offending ``param``.
    """
    require_public_address(services.settings, request.webhook)
    request = merge_method_settings(request)
    hosted = read_hosted_hyperparameters(request)
    merge_hosted_hyperparameters(request.recipe, hosted)  # raises before any file is read
    facts = get_encoder_facts(services, request.model)
    files = load_data_files(services, request)
    check_split_settings(request)
    data = summarize_data_files(services, request, files, facts.max_position_embeddings)
    resolution = resolve_recipe(
        request.recipe,
        facts,
        data.train_row_count,
        resolve_auto_precision(services.settings),
        hosted,
    )
    job = _build_job(services, request, files, data, resolution, hosted)
    main_runs = build_main_runs(job, request, resolution.recipe.max_steps)
    pilots = _build_pilots(job, resolution, main_runs[0].fold)
    job.threads = resolve_threads(services.settings, len(pilots) + len(main_runs))
    plan_discard(job, request, main_runs)
    return job, [*pilots, build_baselines_run(job), *main_runs]


def _build_job(
    services: AppServices,
    request: JobRequest,
    files: Mapping[InputFile, File],
    data: DataSummary,
    resolution: RecipeResolution,
    hosted: HostedHyperparameters,
) -> Job:
    return Job(
        id=ids.make_job_id(),
        owner_id=services.owner_id,
        model=request.model,
        **{source: files[source].id if source in files else None for source in InputFile},
        seed=request.seed or 0,
        suffix=request.suffix,
        job_metadata=request.metadata,
        request=_build_stored_request(request),
        task=data.task,
        split=request.split,
        resolved_recipe=None if resolution.pilots is not None else resolution.recipe,
        pilots=resolution.pilots,
        recipe_notes=resolution.notes,
        metric=data.metric,
        dataset=data.facts,
        baselines=data.baselines,
        warnings=[*data.warnings, *_list_hosted_warnings(hosted)],
        webhook=(
            None
            if request.webhook is None
            else WebhookTarget(url=request.webhook.url, secret=request.webhook.secret)
        ),
        status=JobState.QUEUED,
        result_files=[],
    )


def _build_stored_request(request: JobRequest) -> StoredRequest:
    """Return the requested extension objects and hub references."""
    stored: dict[str, object] = request.model_dump(
        mode="json", exclude_unset=True, include=_STORED_REQUEST_FIELDS
    )
    return StoredRequest.model_validate(stored | list_hub_references(request))


def _build_pilots(job: Job, resolution: RecipeResolution, fold: int | None) -> list[Run]:
    """Return the first pilots; under k-fold they all use the first run's fold."""
    if resolution.pilots is None:
        return []
    candidates = [Candidate.from_recipe(one) for one in resolution.pilots.candidates]
    return build_pilot_runs(job, resolution.pilots.rule, candidates, first_index=0, fold=fold)


def _list_hosted_warnings(hosted: HostedHyperparameters) -> Sequence[JobWarning]:
    if hosted.n_epochs is None:
        return []
    return [
        JobWarning(
            code="n_epochs_taken_at_its_word",
            message=f"The runs train for the requested {hosted.n_epochs} epochs (n_epochs). On "
            "small data sets, a length in steps (recipe.max_steps) is usually more stable.",
        )
    ]
