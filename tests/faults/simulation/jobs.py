"""The jobs of the campaign: three seeds of a plain recipe, and one with every stage there is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from shared.db.runs import Runs
from shared.db.stages import build_distillation_run, build_pilot_runs
from shared.db.tables import Job, Run
from shared.domain.early_discard import DiscardSettings
from shared.domain.job_request import RequestedArtifacts, StoredRequest
from shared.recipe.candidates import Candidate
from shared.recipe.networks import Network
from shared.recipe.pilots import plan_pilots
from tests.rows import RECIPE
from tests.worker.simulated_trainer import STEPS

NETWORKS: list[Network] = [{"reinit_layers": depth} for depth in (1, 0)]
SEARCHED = ("reinit_layers", "learning_rate")
STAGED_RECIPE = RECIPE.model_copy(update={"max_steps": STEPS, "head_first": True})


def prepare_plain_job(_session: Session, job: Job) -> None:
    job.resolved_recipe = RECIPE.model_copy(update={"max_steps": STEPS})


def prepare_staged_job(session: Session, job: Job) -> None:
    """Let pilots choose the recipe, the head be fitted first, half of the runs be discarded, and
    what is left be distilled.
    """
    plan = plan_pilots(STAGED_RECIPE, SEARCHED, NETWORKS)
    assert plan is not None
    job.resolved_recipe, job.pilots = None, plan
    job.recipe_notes = dict.fromkeys(SEARCHED, "1: by rule.")
    job.early_discard = DiscardSettings(start=4, keep=2, at_fraction=0.5)
    job.request = StoredRequest(artifacts=RequestedArtifacts(publish="distilled"))
    for run in Runs(session).list_by_job(job.id):
        run.held = True
    candidates = [Candidate.from_recipe(one) for one in plan.candidates]
    pilots = build_pilot_runs(
        job, STAGED_RECIPE, candidates, seeds=range(1), first_index=0, fold=None
    )
    session.add_all([*pilots, build_distillation_run(job, STEPS)])


class JobKind(NamedTuple):
    """A job of the campaign."""

    runs: int
    """Number of main runs."""
    prepare: Callable[[Session, Job], None]
    first_messages: int
    """Messages that the queue gets when the job is created."""


JOB_KINDS: dict[str, JobKind] = {
    "plain": JobKind(3, prepare_plain_job, 3),
    # of the main runs, which are then held; the sweeper finds the pilots
    "staged": JobKind(4, prepare_staged_job, 4),
}
COMPANION = JobKind(1, prepare_plain_job, 1)
"""A small job of another owner, which takes turns with the round's own."""


def read_decisions(job: Job, runs: Sequence[Run]) -> dict[str, str]:
    """Return what the job's stages decided, with places in place of the runs' ids."""
    decisions = {}
    for name in ("resolved_recipe", "early_discard", "publication"):
        value = getattr(job, name)
        said = "none" if value is None else value.model_dump_json()
        for run in runs:
            said = said.replace(run.id, f"{run.purpose} {run.index}")
        decisions[name] = said
    return decisions
