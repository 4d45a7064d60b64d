"""Plan a job as for a real creation, store no job, and estimate how long it would take."""

from collections.abc import Sequence

from pydantic import BaseModel, TypeAdapter

from api.dependencies import AppServices
from api.jobs.planning.dry_run_schemas import DryRun, Estimate, PlannedRun
from api.jobs.planning.job_plan import plan_job
from api.jobs.request_schemas import JobRequest
from shared.db.tables import Job, Run
from shared.db.throughput import Throughput, measure_throughput
from shared.db.workers import Workers
from shared.domain.job_facts import BaselineScores
from shared.domain.states import Purpose
from shared.domain.stored import dump_stored
from shared.recipe.value import ForeignRecipe, Recipe
from shared.report.builder import build_report
from shared.report.cautions import select_plan_cautions

_OWN_FIELDS = {"resolved_model_revision"}
_MODEL_FIELDS = {"task", "split", "resolved_recipe", "pilots", "early_discard", "dataset"}
_COPIED_FIELDS = (
    DryRun.model_fields.keys()
    - _MODEL_FIELDS
    - _OWN_FIELDS
    - {"object", "baselines", "recipe", "warnings", "runs", "estimate"}
)


def plan_dry_run(services: AppServices, request: JobRequest) -> DryRun:
    """Return the plan of the job. Raises what planning the job would raise when it is created."""
    job, planned = plan_job(services, request)
    runs = [run for run in planned if run.purpose != Purpose.BASELINES]
    main_runs = [run for run in runs if run.purpose == Purpose.MAIN]
    return DryRun(
        **{name: getattr(job, name) for name in _COPIED_FIELDS},
        **{name: _dump_model(getattr(job, name)) for name in _MODEL_FIELDS},
        resolved_model_revision=None if job.hub_model is None else job.hub_model.commit,
        baselines=TypeAdapter(BaselineScores).dump_python(job.baselines),
        recipe=dump_stored(job.request.recipe),
        warnings=select_plan_cautions(build_report(job, main_runs)),
        runs=[
            PlannedRun(**{name: getattr(run, name) for name in PlannedRun.model_fields})
            for run in runs
        ],
        estimate=_estimate_duration(services, job, runs),
    )


def _dump_model(model: BaseModel | None) -> dict[str, object] | None:
    return None if model is None else model.model_dump(mode="json")


def _get_recipe(job: Job) -> Recipe | ForeignRecipe:
    """Return the resolved recipe, or that of the rules while pilots would search it."""
    if job.resolved_recipe is not None:
        return job.resolved_recipe
    assert job.pilots is not None, "a job without a recipe has pilots"
    return job.pilots.rule


def _estimate_duration(services: AppServices, job: Job, runs: Sequence[Run]) -> Estimate:
    """Estimate from earlier runs of the same model: pilots, main runs, then a distillation."""
    recipe = _get_recipe(job)
    with services.database.read() as session:
        slots = Workers(session).count_slots() or services.settings.worker_slots
        sha256 = job.dataset.training_sha256
        throughput = measure_throughput(
            session, services.owner_id, job.model, recipe.precision, sha256
        )
    purposes = (Purpose.PILOT, Purpose.MAIN, Purpose.DISTILLATION)
    stages = [_list_run_steps(job, runs, purpose) for purpose in purposes]
    total = sum(sum(steps) for steps in stages)
    if throughput is None:
        reason = (
            f"No run of {job.model} in {recipe.precision} has finished on this installation "
            "yet, so its duration cannot be estimated."
        )
        return Estimate(seconds=None, reason=reason, slots=slots, steps=total)
    critical_steps = sum(_compute_critical_path(steps, slots) for steps in stages)
    rows = critical_steps * recipe.train_batch_size
    return Estimate(
        seconds=round(rows * throughput.seconds_per_row, 1),
        reason=_explain_estimate(job, throughput),
        slots=slots,
        steps=total,
    )


def _list_run_steps(job: Job, runs: Sequence[Run], purpose: Purpose) -> list[int]:
    """Return the steps of each run; discarded runs stop partway, and any may be discarded."""
    all_steps = [run.total_steps for run in runs if run.purpose == purpose]
    if purpose is not Purpose.MAIN or job.early_discard is None:
        return all_steps
    keep, fraction = job.early_discard.keep, job.early_discard.at_fraction
    return [
        steps if index < keep else round(steps * fraction) for index, steps in enumerate(all_steps)
    ]


def _compute_critical_path(run_steps: Sequence[int], slots: int) -> float:
    """Return the steps that follow one another if ``slots`` runs train at a time."""
    return max([sum(run_steps) / slots, *run_steps], default=0.0)


def _explain_estimate(job: Job, throughput: Throughput) -> str:
    return (
        f"{throughput.seconds_per_row:.3g} seconds per row, the median of {throughput.runs} "
        f"earlier runs of {job.model} on this installation. Waiting for other jobs and scoring the "
        "baselines are not included."
    )
