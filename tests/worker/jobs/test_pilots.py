"""The stage of the pilots: held runs, longer pilots, the release, and workers killed anywhere.

Nothing is trained: the tests claim runs and end them with given numbers. Both databases.
"""

import pytest

from shared.db.jobs import Jobs
from shared.db.metrics import Point
from shared.db.recovery import RunRecovery
from shared.db.run_requests import RunRequests
from shared.db.runs import FenceLost, Runs
from shared.db.session import Message
from shared.db.stages import build_pilot_runs
from shared.db.tables import Job, Run
from shared.domain.early_discard import DiscardSettings
from shared.domain.states import RunState
from shared.recipe.pilot_schemas import PilotPlan, PilotSettings
from shared.recipe.pilots import Candidate
from tests.rows import RECIPE, add_job
from tests.worker.job_rows import claim_next_run, load_event_messages, load_job, load_runs
from worker.context import WorkerContext
from worker.jobs import advance, pilots

RULE = RECIPE.model_copy(update={"reinit_layers": 1, "max_steps": 320})
RISING, FLAT = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5,) * 5


def add_piloted_job(context: WorkerContext, *, discard: DiscardSettings | None = None) -> str:
    """Add a job with two held runs, and pilots of depths 0 and 1."""
    job = add_job(context.database, runs=2)
    with context.database.write() as session:
        stored = session.get_one(Job, job.id)
        stored.resolved_recipe, stored.early_discard = None, discard
        stored.pilots = PilotPlan(
            automatic=["reinit_layers", "max_steps"],
            rule=RULE,
            candidates=[],
            seeds=[0, 1],
            steps=4 * 320,
        )
        stored.recipe_notes = {"reinit_layers": "1: by rule.", "max_steps": "320: by rule."}
        for run in Runs(session).list_by_job(job.id):
            run.held = True
        session.add_all(
            build_pilot_runs(
                stored, RULE, [Candidate(0, 320), Candidate(1, 320)], first_index=0, fold=None
            )
        )
    return job.id


def end_pilots(
    context: WorkerContext, scores: dict[int, float | None], *, curve: tuple[float, ...] = FLAT
) -> None:
    """End queued pilots with a score by depth (None: failed) and ``curve`` as evaluations."""
    while (lease := claim_next_run(context)) is not None:
        with context.database.write() as session:
            run = session.get_one(Run, lease.run_id)
            assert run.purpose == "pilot"
            assert run.recipe is not None
            score = scores[Candidate.from_recipe(run.recipe).depth]
            points = [
                Point("valid_accuracy", (i + 1) * run.total_steps // 5, value)
                for i, value in enumerate(curve)
            ]
            Runs(session).record_progress(lease, 60.0, points)
            state = RunState.FAILED if score is None else RunState.SUCCEEDED
            Runs(session).finish_run(lease, state, validation_score=score, degenerate=False)


def test_only_pilots_are_claimed_while_main_runs_are_held(
    context: WorkerContext,
) -> None:
    job_id = add_piloted_job(context)
    with context.database.write() as session:
        waiting = RunRecovery(session).list_ids_to_notify(30.0, 100)
    assert waiting == [run.id for run in load_runs(context, job_id, "pilot")]
    end_pilots(context, {0: 0.5, 1: 0.6})
    assert claim_next_run(context) is None
    with context.database.read() as session:
        assert Jobs(session).list_ready_to_advance(10) == [job_id]


def test_the_recipe_is_resolved_once_and_the_main_runs_are_queued(
    context: WorkerContext, notifications: list[Message]
) -> None:
    job_id = add_piloted_job(context, discard=DiscardSettings(start=2, keep=1, at_fraction=0.25))
    advance.advance_job(context, job_id)  # pilots are still queued
    assert load_job(context, job_id).resolved_recipe is None
    end_pilots(context, {0: 0.5, 1: 0.6})
    notifications.clear()
    for _ in range(3):
        advance.advance_job(context, job_id)
    stored, runs = load_job(context, job_id), load_runs(context, job_id)
    assert stored.resolved_recipe == RULE
    assert stored.pilots is not None
    assert stored.pilots.chosen == PilotSettings(reinit_layers=1, max_steps=320)
    assert stored.recipe_notes["reinit_layers"].startswith("1: pilots of 320 steps")
    assert [(run.held, run.total_steps, run.stop_step, run.status) for run in runs] == [
        (False, 320, 80, "queued")
    ] * 2
    assert sorted(notifications) == sorted(("run.wake", run.id) for run in runs)
    assert (
        sum(
            message.startswith("Pilots chose the recipe")
            for message in load_event_messages(context)
        )
        == 1
    )
    assert (stored.lease_until, stored.publish_attempts) == (None, 0)


def test_longer_pilots_follow_if_the_score_still_improves(context: WorkerContext) -> None:
    job_id = add_piloted_job(context)
    end_pilots(context, {0: 0.5, 1: 0.4}, curve=RISING)
    for _ in range(2):
        advance.advance_job(context, job_id)
    added = load_runs(context, job_id, "pilot")[4:]
    assert [
        (run.recipe and run.recipe.reinit_layers, run.total_steps, run.index) for run in added
    ] == [
        (0, 640, 4),
        (0, 640, 5),
    ]
    assert len({run.seed for run in load_runs(context, job_id, "pilot")}) == 2
    stored = load_job(context, job_id)
    assert stored.pilots is not None
    assert (stored.resolved_recipe, stored.pilots.steps) == (None, 4 * 320 + 2 * 640)
    end_pilots(context, {0: 0.505}, curve=RISING)
    advance.advance_job(context, job_id)
    stored = load_job(context, job_id)
    assert stored.resolved_recipe == RULE.model_copy(update={"reinit_layers": 0})
    assert "0.505 in 640 steps" in stored.recipe_notes["max_steps"]


def test_the_rules_decide_with_a_warning_if_all_pilots_fail(context: WorkerContext) -> None:
    job_id = add_piloted_job(context)
    end_pilots(context, {0: None, 1: None})
    advance.advance_job(context, job_id)
    stored = load_job(context, job_id)
    assert stored.resolved_recipe == RULE
    assert [warning.code for warning in stored.warnings] == ["pilots_failed"]
    assert stored.recipe_notes["reinit_layers"] == "1: by rule. (All pilots failed.)"
    assert {run.held for run in load_runs(context, job_id)} == {False}


def test_a_worker_that_lost_its_fence_decides_nothing(
    context: WorkerContext,
) -> None:
    job_id = add_piloted_job(context)
    end_pilots(context, {0: 0.5, 1: 0.6})
    with context.database.write() as session:
        old = Jobs(session).claim_to_advance(job_id, -1.0)
        assert old is not None
    advance.advance_job(context, job_id)
    assert load_job(context, job_id).resolved_recipe == RULE
    with pytest.raises(FenceLost), context.database.write() as session:
        pilots.decide_pilots(session, job_id, old)
    assert len(load_runs(context, job_id, "pilot")) == 4


def test_cancelling_ends_held_runs_without_a_worker(context: WorkerContext) -> None:
    job_id = add_piloted_job(context)
    lease = claim_next_run(context)
    assert lease is not None
    with context.database.write() as session:
        assert Jobs(session).request_cancel(session.get_one(Job, job_id))
        RunRequests(session).cancel_runs(job_id)
        assert not Jobs(session).finish_cancelled_job(job_id)  # a pilot trains
        Runs(session).requeue_run(lease)
    advance.advance_job(context, job_id)
    assert load_job(context, job_id).status == "cancelled"
    assert {
        run.status for run in [*load_runs(context, job_id), *load_runs(context, job_id, "pilot")]
    } == {"cancelled"}
