"""What a job would be, without making it: everything is read, resolved and planned as for a
real one, and nothing is stored.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from api.dependencies import AppServices
from api.jobs.planning.job_plan import plan_job
from api.jobs.schemas import JobRequest, Warning
from shared.db.tables import Job, Run
from shared.db.throughput import Speed, measured_speed
from shared.db.workers import Workers
from shared.domain.states import Purpose


class PlannedRun(BaseModel):
    """A run that the job would have."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    purpose: str
    """`main`, or `pilot` for a run that finds automatic settings out."""
    seed: int
    init_seed: int
    data_seed: int
    fold: int | None
    total_steps: int


class Estimate(BaseModel):
    """How long the runs would take on the workers there are."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seconds: float | None
    """Of training, from the moment the first run is claimed; null where nothing like it was
    trained here before.
    """
    reason: str
    """What the seconds rest on, or why there are none."""
    slots: int
    """Runs that are trained at the same time."""
    steps: int
    """Optimiser steps of all runs, pilots included."""


class DryRun(BaseModel):
    """A job that is not made: how its request was understood."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.job.dry_run"] = "fine_tuning.job.dry_run"
    model: str
    """As asked."""
    training_file: str
    """Id of the file."""
    validation_file: str | None
    """Id of the file; null where rows are split off."""
    test_file: str | None
    """Id of the file; null without one."""
    task: dict[str, Any]
    """With a value for everything."""
    split: dict[str, Any]
    """As asked."""
    recipe: dict[str, Any]
    """As asked."""
    resolved_recipe: dict[str, Any] | None
    """Null where pilots would find an automatic value out; ``pilots`` has the candidates then."""
    recipe_notes: dict[str, str]
    """Why each automatic value is what it is."""
    pilots: dict[str, Any] | None
    """The candidates of the automatic settings; null where there is nothing to find out."""
    early_discard: dict[str, Any] | None
    """As asked; null without."""
    metric: str
    """The score that the job would be about."""
    threads: int
    """CPU threads of each of its trainers."""
    dataset: dict[str, Any]
    """Rows by part, labels, and digests of the files."""
    baselines: dict[str, Any]
    """What is reached without fine-tuning, as far as it is known already."""
    warnings: list[Warning]
    """What should be known before the numbers are relied on."""
    runs: list[PlannedRun]
    """Pilots first, as they would be trained."""
    estimate: Estimate
    """How long it would take."""


_COPIED_FIELDS = DryRun.model_fields.keys() - {"object", "recipe", "warnings", "runs", "estimate"}


def plan_dry_run(services: AppServices, request: JobRequest) -> DryRun:
    """Raises what creating the job would raise."""
    job, planned = plan_job(services, request)
    runs = [run for run in planned if run.purpose != Purpose.BASELINES]
    return DryRun(
        **{name: getattr(job, name) for name in _COPIED_FIELDS},
        recipe=job.request.get("recipe", {}),
        warnings=[Warning(**warning) for warning in job.warnings],
        runs=[
            PlannedRun(**{name: getattr(run, name) for name in PlannedRun.model_fields})
            for run in runs
        ],
        estimate=_estimate_duration(services, job, runs),
    )


def _estimate_duration(services: AppServices, job: Job, runs: Sequence[Run]) -> Estimate:
    recipe = job.resolved_recipe or (job.pilots or {})["rule"]
    with services.database.read() as session:
        slots = Workers(session).slots() or services.settings.worker_slots
        sha256 = job.dataset["training_sha256"]
        speed = measured_speed(session, services.owner_id, job.model, recipe["precision"], sha256)
    steps = {
        purpose: _list_run_steps(job, runs, purpose) for purpose in (Purpose.PILOT, Purpose.MAIN)
    }
    total = sum(sum(of_purpose) for of_purpose in steps.values())
    if speed is None:
        reason = (
            f"No run of {job.model} in {recipe['precision']} has come to its end "
            "here, so there is nothing to go by."
        )
        return Estimate(seconds=None, reason=reason, slots=slots, steps=total)
    rows = (
        sum(_compute_critical_path(of_purpose, slots) for of_purpose in steps.values())
        * recipe["train_batch_size"]
    )
    return Estimate(
        seconds=round(rows * speed.seconds_per_row, 1),
        reason=_explain_estimate(job, speed),
        slots=slots,
        steps=total,
    )


def _list_run_steps(job: Job, runs: Sequence[Run], purpose: Purpose) -> list[int]:
    """Of each run; under an early discard those that are not kept stop part-way, whichever they
    will be.
    """
    steps = [run.total_steps for run in runs if run.purpose == purpose]
    if purpose is Purpose.MAIN and job.early_discard is not None:
        kept, fraction = job.early_discard["keep"], job.early_discard["at_fraction"]
        steps = [all_ if i < kept else round(all_ * fraction) for i, all_ in enumerate(steps)]
    return steps


def _compute_critical_path(run_steps: Sequence[int], slots: int) -> float:
    """Steps one after the other when so many runs are trained at a time: no less than the
    longest run has.
    """
    return max([sum(run_steps) / slots, *run_steps], default=0.0)


def _explain_estimate(job: Job, throughput: Speed) -> str:
    return (
        f"{throughput.seconds_per_row:.3g} seconds a row, the median of {throughput.runs} "
        f"earlier runs of {job.model} on this installation; "
        "without the wait for other jobs and the scoring of the baselines."
    )
