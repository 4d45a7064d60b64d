"""The stage of the pilots: held runs, further rounds, the release, and workers killed anywhere.

Nothing is trained: the tests claim runs and end them with given numbers. Both databases.
"""

import pytest

from shared.db.job_advances import JobAdvances
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
from shared.recipe import Recipe
from shared.recipe.candidates import Candidate
from shared.recipe.networks import Network
from shared.recipe.pilots import plan_pilots
from tests.rows import RECIPE, add_job
from tests.worker.job_rows import claim_next_run, load_event_messages, load_job, load_runs
from worker.context import WorkerContext
from worker.jobs import advance, pilots

RULE = RECIPE.model_copy(update={"reinit_layers": 1, "max_steps": 320})
NETWORKS: list[Network] = [{"reinit_layers": depth} for depth in (1, 0, 2)]
SEARCHED = ("reinit_layers", "learning_rate", "max_steps")
LEARNED = {2e-5: 0.5, 8e-5: 0.8, 5e-6: 0.4, 3.2e-4: 0.6}
"""Validation scores by learning rate."""


def add_piloted_job(context: WorkerContext, *, discard: DiscardSettings | None = None) -> str:
    """Add a job with two held runs and the first round of its pilots, three depths."""
    job = add_job(context.database, runs=2)
    plan = plan_pilots(RULE, SEARCHED, NETWORKS)
    assert plan is not None
    with context.database.write() as session:
        stored = session.get_one(Job, job.id)
        stored.resolved_recipe, stored.early_discard, stored.pilots = None, discard, plan
        stored.recipe_notes = dict.fromkeys(SEARCHED, "1: by rule.")
        for run in Runs(session).list_by_job(job.id):
            run.held = True
        candidates = [Candidate.from_recipe(one) for one in plan.candidates]
        session.add_all(
            build_pilot_runs(stored, RULE, candidates, seeds=range(1), first_index=0, fold=None)
        )
    return job.id


def end_pilots(context: WorkerContext, scores: dict[float, float] | None) -> None:
    """End queued pilots with a score by learning rate, or as failed."""
    while (lease := claim_next_run(context)) is not None:
        with context.database.write() as session:
            run = session.get_one(Run, lease.run_id)
            assert run.purpose == "pilot"
            assert isinstance(run.recipe, Recipe)
            score = None if scores is None else scores[run.recipe.learning_rate]
            points = [] if score is None else [Point("valid_accuracy", run.total_steps, score)]
            Runs(session).record_progress(lease, 60.0, points)
            state = RunState.FAILED if score is None else RunState.SUCCEEDED
            Runs(session).finish_run(lease, state, validation_score=score, degenerate=False)


def end_all_rounds(context: WorkerContext, job_id: str) -> None:
    """End the pilots of every round, until the recipe is known."""
    while load_job(context, job_id).resolved_recipe is None:
        end_pilots(context, LEARNED)
        advance.advance_job(context, job_id)


def test_only_pilots_are_claimed_while_main_runs_are_held(
    context: WorkerContext,
) -> None:
    job_id = add_piloted_job(context)
    with context.database.write() as session:
        waiting = RunRecovery(session).list_ids_to_notify(30.0, 100)
    assert waiting == [run.id for run in load_runs(context, job_id, "pilot")]
    end_pilots(context, LEARNED)
    assert claim_next_run(context) is None
    with context.database.read() as session:
        assert JobAdvances(session).list_ready_to_advance(10) == [job_id]


def test_the_recipe_is_resolved_once_and_the_main_runs_are_queued(
    context: WorkerContext, notifications: list[Message]
) -> None:
    job_id = add_piloted_job(context, discard=DiscardSettings(start=2, keep=1, at_fraction=0.25))
    advance.advance_job(context, job_id)  # pilots are still queued
    assert load_job(context, job_id).resolved_recipe is None
    end_all_rounds(context, job_id)
    notified = notifications[-2:]
    for _ in range(2):
        advance.advance_job(context, job_id)
    stored, runs = load_job(context, job_id), load_runs(context, job_id)
    # re-initialization made no difference
    chosen = RULE.model_copy(update={"learning_rate": 8e-5})
    assert stored.resolved_recipe == chosen
    assert stored.pilots is not None
    assert stored.pilots.chosen == Candidate.from_recipe(chosen).to_settings()
    assert stored.recipe_notes["learning_rate"].startswith("8e-05: pilots reached")
    assert [(run.held, run.total_steps, run.stop_step, run.status) for run in runs] == [
        (False, 320, 80, "queued")
    ] * 2
    assert sorted(notified) == sorted(("run.wake", run.id) for run in runs)
    assert (
        sum(
            message.startswith("Pilots chose the recipe")
            for message in load_event_messages(context)
        )
        == 1
    )
    assert (stored.lease_until, stored.publish_attempts) == (None, 0)


def test_rounds_follow_each_other_within_the_cost_limit(context: WorkerContext) -> None:
    job_id = add_piloted_job(context)
    end_pilots(context, LEARNED)
    for _ in range(2):  # the second call finds the next round under way
        advance.advance_job(context, job_id)
    added = load_runs(context, job_id, "pilot")[3:]
    assert [(one.learning_rate, one.depth, one.max_steps) for one in map(get_candidate, added)] == [
        (8e-5, 1, 160),
        (5e-6, 1, 160),
    ]
    assert [(run.index, run.seed - 2**31) for run in added] == [(3, 0), (4, 0)]
    for _ in range(2):
        end_pilots(context, LEARNED)
        advance.advance_job(context, job_id)
    final = load_runs(context, job_id, "pilot")[6:]
    assert [
        (get_candidate(run).learning_rate, run.total_steps, run.seed - 2**31) for run in final
    ] == [(8e-5, 320, 1), (2e-5, 320, 1)]
    stored = load_job(context, job_id)
    assert stored.pilots is not None
    assert (stored.resolved_recipe, stored.pilots.steps) == (None, 6 * 160 + 2 * 320)
    assert stored.pilots.steps <= 5 * 320
    assert [one for one in load_event_messages(context) if one.startswith("Pilots: ")] == [
        "Pilots: 2 pilots of 160 steps, to try other learning rates with the best network.",
        "Pilots: 1 pilot of 160 steps, to try a still higher learning rate.",
        "Pilots: 2 pilots of 320 steps, to compare the best candidates over more steps.",
    ]


def get_candidate(run: Run) -> Candidate:
    assert run.recipe is not None, "a pilot has its own recipe"
    return Candidate.from_recipe(run.recipe)


def test_the_rules_decide_with_a_warning_if_all_pilots_fail(context: WorkerContext) -> None:
    job_id = add_piloted_job(context)
    end_pilots(context, None)
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
    end_pilots(context, LEARNED)
    with context.database.write() as session:
        old = JobAdvances(session).claim_to_advance(job_id, -1.0)
        assert old is not None
    advance.advance_job(context, job_id)
    assert len(load_runs(context, job_id, "pilot")) == 5
    end_pilots(context, LEARNED)
    with pytest.raises(FenceLost), context.database.write() as session:
        pilots.decide_pilots(session, job_id, old)
    assert len(load_runs(context, job_id, "pilot")) == 5


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
