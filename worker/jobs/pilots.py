"""Decide what follows a job's pilots: a further round, or the recipe and the main runs.

The policy is in ``shared.recipe``.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.db.stages import Stages, build_pilot_runs
from shared.db.tables import Job, Run
from shared.domain.early_discard import compute_decision_step, count_full_runs
from shared.domain.states import Purpose, RunState
from shared.recipe.candidates import Candidate
from shared.recipe.pilot_decision import (
    NextPilots,
    PilotChoice,
    advance_pilots,
    describe_round,
)
from shared.recipe.pilot_trials import Scale, Trial


def decide_pilots(session: Session, job_id: str, fence: int) -> None:
    """Store the next round, or the recipe, and release the job's main runs. Raises FenceLost."""
    job = session.get_one(Job, job_id, with_for_update=True)
    assert job.pilots is not None, "a job without a recipe has pilots"
    pilots = Runs(session).list_by_job(job_id, purpose=Purpose.PILOT)
    decision = advance_pilots(
        job.pilots,
        [_build_trial(session, job, run) for run in pilots],
        job.recipe_notes,
        scale=Scale(job.metric, job.dataset.rows.validation),
        main_runs=count_full_runs(job.early_discard, len(Runs(session).list_by_job(job_id))),
    )
    if isinstance(decision, NextPilots):
        _start_next_pilots(session, job, fence, pilots, decision)
    else:
        _store_recipe(session, job, fence, decision)


def _build_trial(session: Session, job: Job, run: Run) -> Trial:
    assert run.recipe is not None, "a pilot has its own recipe"
    points = Metrics(session).list_points(run.id, names=[f"valid_{job.metric}"])
    return Trial(
        Candidate.from_recipe(run.recipe),
        score=run.validation_score,
        failed=run.status != RunState.SUCCEEDED,
        degenerate=bool(run.degenerate),
        curve=tuple((point.step, point.value) for point in points),
    )


def _start_next_pilots(
    session: Session, job: Job, fence: int, pilots: Sequence[Run], decision: NextPilots
) -> None:
    runs = build_pilot_runs(
        job,
        decision.plan.rule,
        decision.candidates,
        seeds=decision.seeds,
        first_index=len(pilots),
        fold=pilots[0].fold,
    )
    JobAdvances(session).advance_to_stage(job.id, fence, pilots=decision.plan)
    Stages(session).add_runs(runs)
    Events(session).add(job, describe_round(decision))


def _store_recipe(session: Session, job: Job, fence: int, choice: PilotChoice) -> None:
    JobAdvances(session).advance_to_stage(
        job.id,
        fence,
        pilots=choice.plan,
        resolved_recipe=choice.recipe,
        recipe_notes=choice.notes,
    )
    steps = choice.candidate.max_steps
    discard = job.early_discard
    Stages(session).release_held_runs(
        job.id,
        steps,
        None if discard is None else compute_decision_step(discard.at_fraction, steps),
    )
    _report_choice(session, job, choice)


def _report_choice(session: Session, job: Job, choice: PilotChoice) -> None:
    """Add an event, and a warning if no pilot of the chosen recipe learned anything."""
    Events(session).add(
        job,
        choice.reason if choice.all_failed else f"Pilots chose the recipe: {choice.reason}",
        level="warn" if choice.all_unusable else "info",
    )
    if choice.all_failed:
        Jobs(session).add_warning(job.id, "pilots_failed", choice.reason)
    elif choice.all_unusable:
        Jobs(session).add_warning(
            job.id,
            "pilots_degenerate",
            f"No pilot of any candidate learned anything. {choice.reason}",
        )
