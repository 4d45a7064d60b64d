"""Plan the early discard of a new job: the step at which its runs wait for the decision."""

from collections.abc import Sequence

from api.jobs.request_schemas import JobRequest
from shared.db.tables import Job, Run
from shared.domain.early_discard import DiscardSettings, compute_decision_step
from shared.domain.errors import InvalidValue


def plan_discard(job: Job, request: JobRequest, runs: Sequence[Run]) -> None:
    """Store the requested early discard with the job, and the step to wait at with its runs.

    While pilots choose the recipe, the length of the runs is unknown, so no step is stored. Raises
    InvalidValue for a k-fold split or a run of a single step.
    """
    discard = request.early_discard
    if discard is None or not discard.enabled:
        return
    if any(run.fold is not None for run in runs):
        raise InvalidValue(
            "early_discard compares runs on the same validation rows, but a k-fold split has "
            "different rows in each fold; use one or the other.",
            param="early_discard",
        )
    job.early_discard = DiscardSettings(
        start=discard.start, keep=discard.keep, at_fraction=discard.at_fraction
    )
    if job.resolved_recipe is None:
        return
    if job.resolved_recipe.max_steps < 2:
        raise InvalidValue(
            "early_discard needs runs of at least two steps; increase recipe.max_steps.",
            param="early_discard",
        )
    for run in runs:
        run.stop_step = compute_decision_step(discard.at_fraction, run.total_steps)
