"""The stage of the pilots, once they have ended: more of them, or the job's recipe. The policy
is in ``shared.recipe.pilots``.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.db.stages import Stages, pilot_runs
from shared.db.tables import Job, Run
from shared.domain.early_discard import decision_step
from shared.domain.states import Purpose, RunState
from shared.recipe.pilots import (
    Candidate,
    CandidateResult,
    Trial,
    explain_choice,
    propose_longer_candidate,
    select_best_candidate,
    summarize_trials,
)


def decide_pilots(session: Session, job_id: str, fence: int) -> None:
    """The next pilots or, with the evidence at hand, the recipe and with it the job's own runs.
    Raises FenceLost.
    """
    job = session.get_one(Job, job_id, with_for_update=True)
    runs, main = Runs(session).of_job(job_id, purpose=Purpose.PILOT), Runs(session).of_job(job_id)
    plan = dict(job.pilots or {})
    tried = summarize_trials([_build_trial(session, job, run) for run in runs])
    plan["candidates"] = [standing.to_summary() for standing in tried]
    longer = (
        propose_longer_candidate(tried, main_runs=len(main))
        if "max_steps" in plan["automatic"]
        else None
    )
    if longer is None:
        _resolve_recipe(session, job, fence, plan, tried)
        return
    more = pilot_runs(job, plan["rule"], [longer], first=len(runs), fold=runs[0].fold)
    plan["candidates"].append(CandidateResult(longer, ()).to_summary())
    plan["steps"] += sum(run.total_steps for run in more)
    Jobs(session).moved_on(job_id, fence, pilots=plan)
    Stages(session).add_runs(more)
    told = (
        f"Pilots: {longer.max_steps} steps are tried as well, because "
        f"{_explain_longer_pilots(tried, longer)}."
    )
    Events(session).add(job, told)


def _build_trial(session: Session, job: Job, run: Run) -> Trial:
    assert run.recipe is not None, "a pilot has a recipe of its own"
    name = f"valid_{job.metric}"
    return Trial(
        Candidate.from_recipe(run.recipe),
        score=run.validation_score,
        failed=run.status != RunState.SUCCEEDED,
        degenerate=bool(run.degenerate),
        curve=tuple(
            (point.step, point.value) for point in Metrics(session).of_run(run.id, names=[name])
        ),
    )


def _explain_longer_pilots(tried: Sequence[CandidateResult], longer: Candidate) -> str:
    longest = max(
        (one for one in tried if one.candidate.reinit_layers == longer.reinit_layers),
        key=lambda one: one.candidate.max_steps,
    )
    if longest.unlearned_count:
        return (
            f"{longest.unlearned_count} of {len(longest.trials)} learnt nothing in "
            f"{longest.candidate.max_steps}"
        )
    return f"the validation score was still better for {longest.candidate.max_steps}"


def _resolve_recipe(
    session: Session, job: Job, fence: int, plan: dict[str, Any], tried: Sequence[CandidateResult]
) -> None:
    chosen = select_best_candidate(tried)
    if chosen is None:
        settings: dict[str, Any] = {}
        reason = (
            f"All {sum(len(one.trials) for one in tried)} pilots failed; the recipe "
            "has the values of the rules."
        )
        notes = {
            name: f"{job.recipe_notes[name]} (All pilots failed.)" for name in plan["automatic"]
        }
    else:
        settings = chosen.candidate.to_settings()
        notes = explain_choice(tried, chosen, job.metric, plan["automatic"])
        reason = " ".join(f"{name} {note}" for name, note in notes.items())
    recipe = {**plan["rule"], **settings}
    plan |= {"chosen": Candidate.from_recipe(recipe).to_settings(), "reason": reason}
    Jobs(session).moved_on(
        job.id,
        fence,
        pilots=plan,
        resolved_recipe=recipe,
        recipe_notes={**job.recipe_notes, **notes},
    )
    fraction = (job.early_discard or {}).get("at_fraction")
    steps = recipe["max_steps"]
    Stages(session).release(
        job.id, steps, None if fraction is None else decision_step(fraction, steps)
    )
    _report_choice(session, job, reason, chosen)


def _report_choice(session: Session, job: Job, reason: str, chosen: CandidateResult | None) -> None:
    """Events, and a warning where the pilots found nothing that works."""
    events, sound = (
        Events(session),
        chosen is not None and chosen.unusable_count < len(chosen.trials),
    )
    events.add(
        job,
        f"Pilots have found the recipe: {reason}" if chosen is not None else reason,
        level="info" if sound else "warn",
    )
    if chosen is None:
        Jobs(session).warn(job.id, "pilots_failed", reason)
    elif not sound:
        Jobs(session).warn(
            job.id,
            "pilots_degenerate",
            f"Every pilot of every setting tried learnt nothing. {reason}",
        )
