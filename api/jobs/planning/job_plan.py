"""Plan a job: read its files, resolve its task and recipe, build its rows. Stores nothing."""

from collections.abc import Mapping, Sequence

from api.dependencies import AppServices
from api.jobs.openai_mapping import merge_method_settings, read_hosted_hyperparameters
from api.jobs.planning.baseline_run import build_baselines_run
from api.jobs.planning.data_summary import DataSummary
from api.jobs.planning.discard_plan import plan_discard
from api.jobs.planning.job_files import (
    list_hub_references,
    load_data_files,
    summarize_data_files,
)
from api.jobs.planning.main_runs import build_main_runs
from api.jobs.planning.request_validation import check_split_settings, check_unlabelled_file
from api.jobs.planning.run_warnings import list_run_warnings
from api.jobs.planning.start_model import (
    StartModel,
    digest_start_model,
    find_encoder_input,
    is_download_needed,
    resolve_start_model,
)
from api.jobs.request_schemas import JobRequest
from api.jobs.webhook_schemas import require_public_address
from api.models.uploaded import resolve_model_name
from shared.datasets import InputFile
from shared.db.stages import build_distillation_run, build_pilot_runs
from shared.db.tables import File, Job, Run
from shared.domain import ids
from shared.domain.early_discard import count_full_runs
from shared.domain.job_facts import JobWarning
from shared.domain.job_request import StoredRequest
from shared.domain.states import JobState
from shared.infra.hardware import resolve_auto_precision, resolve_threads
from shared.infra.settings import Settings
from shared.recipe import HostedHyperparameters, RecipeResolution, resolve_recipe
from shared.recipe.candidates import Candidate
from shared.recipe.head_choice import require_pairs
from shared.recipe.hosted import merge_hosted_hyperparameters
from shared.recipe.pilots import compute_cost_limit

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
    "model_revision",
}


def plan_job(services: AppServices, request: JobRequest) -> tuple[Job, list[Run]]:
    """Return the rows to store, pilots first. The job has no webhook yet: a dry run plans
    as well, and encrypting makes a missing key.

    Raises InvalidValue, FileNotFound, or what ``resolve_start_model`` raises, with the offending
    ``param``.
    """
    request = prepare_request(services, request)
    start = resolve_start_model(services, request.model, request.model_revision)
    return plan_from_model(services, request, start)


def prepare_request(services: AppServices, request: JobRequest) -> JobRequest:
    """Return the request with the model's ID and one set of hyperparameters.

    Raises InvalidValue for what is wrong with it whatever its model and its files are.
    """
    require_public_address(services.settings, request.webhook)
    request = merge_method_settings(request)
    request = request.model_copy(update={"model": resolve_model_name(services, request.model)})
    # raises before any file is read
    merge_hosted_hyperparameters(request.recipe, read_hosted_hyperparameters(request))
    check_unlabelled_file(request)
    return request


def plan_from_model(
    services: AppServices, request: JobRequest, start: StartModel
) -> tuple[Job, list[Run]]:
    """Return the rows of a prepared request for this model, pilots first.

    Raises InvalidValue and FileNotFound, with the offending ``param``.
    """
    hosted = read_hosted_hyperparameters(request)
    files = load_data_files(services, request)
    check_split_settings(request)
    data = summarize_data_files(services, request, files, find_encoder_input(services, start))
    require_pairs(request.recipe, data.task)
    resolution = resolve_recipe(
        request.recipe,
        start.facts,
        data.train_row_count,
        resolve_auto_precision(services.settings),
        hosted,
        pairs=data.task.text_pair_column is not None,
    )
    job = _build_job(services, request, files, data, resolution, hosted)
    _set_start_model(services, job, start)
    main_runs = build_main_runs(job, request, resolution.recipe.max_steps)
    pilots = _build_pilots(job, main_runs)
    job.threads = resolve_threads(services.settings, len(pilots) + len(main_runs))
    job.warnings = [*job.warnings, *_warn_threads(services.settings, job.threads)]
    plan_discard(job, request, main_runs)
    _limit_pilots(job, len(main_runs))
    job.warnings = [*job.warnings, *list_run_warnings(job, request, resolution, main_runs)]
    distillations = _build_distillation(job, request, resolution.recipe.max_steps)
    runs = [*pilots, build_baselines_run(job), *main_runs, *distillations]
    if job.awaits_model:
        for run in runs:
            run.held = True
    return job, runs


def _set_start_model(services: AppServices, job: Job, start: StartModel) -> None:
    """Pin the model; the job waits until a worker has downloaded one of the hub."""
    job.hub_model = start.hub_model
    job.base_model_sha256 = digest_start_model(services, start)
    job.awaits_model = is_download_needed(services, start)
    if job.awaits_model:
        job.status = JobState.VALIDATING_FILES


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
        status=JobState.QUEUED,
        result_files=[],
    )


def _build_stored_request(request: JobRequest) -> StoredRequest:
    """Return the requested extension objects and hub references."""
    stored: dict[str, object] = request.model_dump(
        mode="json", exclude_unset=True, include=_STORED_REQUEST_FIELDS
    )
    return StoredRequest.model_validate(stored | list_hub_references(request))


def _build_pilots(job: Job, main_runs: Sequence[Run]) -> list[Run]:
    """Return the first pilots; under k-fold they all use the first run's fold."""
    plan = job.pilots
    if plan is None or plan.rounds is None:
        return []
    [first_round] = plan.rounds
    return build_pilot_runs(
        job,
        plan.rule,
        [Candidate.from_recipe(one) for one in first_round.candidates],
        seeds=range(first_round.seeds),
        first_index=0,
        fold=main_runs[0].fold,
    )


def _limit_pilots(job: Job, main_runs: int) -> None:
    """Store the cost limit of the job's pilots."""
    if job.pilots is not None:
        full_runs = count_full_runs(job.early_discard, main_runs)
        limit = compute_cost_limit(job.pilots.rule.max_steps, full_runs)
        job.pilots = job.pilots.model_copy(update={"limit": limit})


def _build_distillation(job: Job, request: JobRequest, total_steps: int) -> list[Run]:
    if request.artifacts.publish != "distilled":
        return []
    return [build_distillation_run(job, total_steps)]


def _warn_threads(settings: Settings, threads: int) -> Sequence[JobWarning]:
    """Warn of threads that a job got because it has fewer runs than there are slots."""
    if settings.threads != "auto" or threads == max(1, settings.cores // settings.worker_slots):
        return []
    return [
        JobWarning(
            code="threads_by_run_count",
            message=f"Each run trains with {threads} CPU threads, because the job has fewer runs "
            "than there are slots. In a job with more runs, the same seed can differ in its last "
            "bits; set EVENKEEL_THREADS to a number so that all jobs train alike.",
        )
    ]


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
