"""What of a new job has stages: pilots before its runs, a decision part-way through them."""

from collections.abc import Sequence

from api.jobs.schemas import JobRequest
from shared.db.stages import pilot_runs
from shared.db.tables import Job, Run
from shared.domain.early_discard import decision_step
from shared.domain.errors import InvalidValue
from shared.recipe import RecipeResolution
from shared.recipe.pilots import (
    FIRST_PILOT_SEED,
    PILOT_SEEDS,
    Candidate,
    LayerSelection,
    build_first_round,
    list_depth_candidates,
)


def list_pilot_candidates(resolution: RecipeResolution, num_blocks: int) -> list[Candidate]:
    """The first round of pilots for a recipe of which something is automatic; ``blocks`` that
    the encoder can draw afresh.
    """
    rule = Candidate.from_recipe(resolution.recipe.model_dump(mode="json"))
    depths: list[LayerSelection] = [rule.reinit_layers]
    if "reinit_layers" in resolution.automatic:
        depths = [*list_depth_candidates(rule.depth, num_blocks)]
    return build_first_round(depths, rule.max_steps)


def drop_settled_settings(resolution: RecipeResolution, num_blocks: int) -> RecipeResolution:
    """The same, automatic only in what there is a choice of."""
    if len(list_pilot_candidates(resolution, num_blocks)) > 1:
        return resolution
    return resolution._replace(
        automatic=tuple(name for name in resolution.automatic if name != "reinit_layers")
    )


def plan_pilots(
    job: Job, resolution: RecipeResolution, num_blocks: int, fold: int | None
) -> list[Run]:
    """The first pilots, their plan being stored with the job; none where nothing is automatic.

    ``fold``: under k-fold they are judged on one part of the file, the first run's.
    """
    if not resolution.automatic:
        return []
    rule = resolution.recipe.model_dump(mode="json")
    candidates = list_pilot_candidates(resolution, num_blocks)
    runs = pilot_runs(job, rule, candidates, first=0, fold=fold)
    job.pilots = {
        "automatic": list(resolution.automatic),
        "rule": rule,
        "candidates": [
            {**one.to_settings(), "scores": [], "degenerate": 0, "failed": 0, "mean": None}
            for one in candidates
        ],
        "chosen": None,
        "reason": None,
        "seeds": [FIRST_PILOT_SEED + seed for seed in range(PILOT_SEEDS)],
        "steps": sum(run.total_steps for run in runs),
    }
    return runs


def plan_discard(job: Job, request: JobRequest, runs: Sequence[Run]) -> Sequence[Run]:
    """The runs, told where to wait if they are not held; the plan is stored with the job."""
    asked = request.early_discard
    if asked is None or not asked.enabled:
        return runs
    if any(run.fold is not None for run in runs):
        raise InvalidValue(
            (
                "Scores on different parts of the file cannot be ranked: early_discard and a "
                "k-fold split exclude each other."
            ),
            param="early_discard",
        )
    job.early_discard = asked.model_dump(mode="json", include={"start", "keep", "at_fraction"})
    if job.resolved_recipe is None:  # the length is not known yet
        return runs
    if job.resolved_recipe["max_steps"] < 2:
        raise InvalidValue("A run of one step cannot be stopped part-way.", param="early_discard")
    for run in runs:
        run.stop_step = decision_step(asked.at_fraction, run.total_steps)
    return runs
