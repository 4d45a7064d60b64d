"""The early discard and extensions, with workers that may be killed anywhere.

Nothing is trained: the tests claim runs and pause them with given numbers. Both databases.
"""

import pytest

from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.recovery import RunRecovery
from shared.db.runs import FenceLost, Lease, Runs
from shared.db.session import Message
from shared.db.tables import Job, Run
from shared.domain.early_discard import DecidedDiscard, DiscardSettings
from shared.domain.states import JobState, RunState
from shared.metrics.run_result import Rung, RungResult
from tests.rows import add_job
from tests.worker.job_rows import claim_next_run, load_job, load_runs
from worker.context import WorkerContext
from worker.jobs import advance, discard


def add_discarding_job(context: WorkerContext, keep: int) -> str:
    job = add_job(context.database, runs=4)
    with context.database.write() as session:
        session.get_one(Job, job.id).early_discard = DiscardSettings(
            start=4, keep=keep, at_fraction=0.5
        )
        for run in Runs(session).list_by_job(job.id):
            run.stop_step = 5
    return job.id


def pause_run(
    context: WorkerContext, lease: Lease, score: float | None, *, degenerate: bool = False
) -> None:
    state = f"runs/{lease.run_id}/{lease.fence}/state-5"
    context.storage.put_bytes(f"{state}/state.json", b"{}")
    with context.database.write() as session:
        Runs(session).record_progress(
            lease, 60.0, [Point("train_loss", step, 0.5) for step in range(1, 6)], step=5
        )
        Runs(session).pause_run(
            lease, state, result=RungResult(rung=Rung(step=5, score=score, degenerate=degenerate))
        )


def add_paused_job(context: WorkerContext, keep: int, *scores: float | None) -> str:
    job_id = add_discarding_job(context, keep)
    for score in scores:
        lease = claim_next_run(context)
        assert lease is not None
        pause_run(context, lease, score)
    return job_id


def test_nothing_is_decided_before_every_run_waits(context: WorkerContext) -> None:
    job_id = add_paused_job(context, 2, 0.5, 0.7, 0.6)
    advance.advance_job(context, job_id)
    assert [run.status for run in load_runs(context, job_id)] == [
        "paused",
        "paused",
        "paused",
        "queued",
    ]


def test_the_best_runs_continue_and_the_others_lose_their_states(
    context: WorkerContext, notifications: list[Message]
) -> None:
    job_id = add_paused_job(context, 2, 0.5, 0.7, None, 0.6)
    notifications.clear()
    for _ in range(3):
        advance.advance_job(context, job_id)
    runs = load_runs(context, job_id)
    assert [run.status for run in runs] == ["discarded", "queued", "discarded", "queued"]
    assert [run.stop_step for run in runs] == [5, None, 5, None]
    assert notifications == [("run.wake", run_id) for run_id in sorted((runs[1].id, runs[3].id))]
    stored = load_job(context, job_id).early_discard
    assert isinstance(stored, DecidedDiscard)
    assert (stored.kept, stored.at_step) == ([1, 3], 5)
    assert [stored.mean_at_rung_all, stored.mean_at_rung_kept] == pytest.approx([0.6, 0.65])
    assert {blob.key.split("/")[1] for blob in context.storage.list("runs")} == {
        runs[1].id,
        runs[3].id,
    }


def test_a_run_continues_from_its_state_however_often_its_worker_dies(
    context: WorkerContext,
) -> None:
    job_id = add_paused_job(context, 1, 0.9, 0.7, 0.6, 0.5)
    advance.advance_job(context, job_id)
    for attempt in (2, 3):
        lease = claim_next_run(context)
        assert lease is not None
        with context.database.write() as session:
            run = session.get_one(Run, lease.run_id)
            assert (run.index, run.status, run.attempt, run.step) == (0, "running", attempt, 5)
            steps = [point.step for point in Metrics(session).list_points(run.id)]
            assert steps == [1, 2, 3, 4, 5]
            Runs(session).record_progress(
                lease, -1.0, [Point("train_loss", step, 0.4) for step in (6, 7)], step=7
            )
        with context.database.write() as session:
            assert [lost.run_id for lost in RunRecovery(session).release_expired_leases()] == [
                lease.run_id
            ]


def test_failed_runs_do_not_take_places_and_the_job_ends_with_its_last_run(
    context: WorkerContext,
) -> None:
    job_id = add_discarding_job(context, 3)
    for score in (None, 0.4, 0.3, None):
        lease = claim_next_run(context)
        assert lease is not None
        if score is None:
            with context.database.write() as session:
                Runs(session).finish_run(lease, RunState.FAILED)
        else:
            pause_run(context, lease, score)
    advance.advance_job(context, job_id)
    assert [run.status for run in load_runs(context, job_id)] == [
        "failed",
        "queued",
        "queued",
        "failed",
    ]
    while (lease := claim_next_run(context)) is not None:
        with context.database.write() as session:
            Runs(session).finish_run(lease, RunState.FAILED)
    advance.advance_job(context, job_id)
    assert load_job(context, job_id).status == "failed"
    assert not list(context.storage.list("runs"))


def test_only_the_holder_of_the_fence_decides(context: WorkerContext) -> None:
    job_id = add_paused_job(context, 2, 0.5, 0.7, 0.8, 0.6)
    with context.database.write() as session:
        old = JobAdvances(session).claim_to_advance(job_id, -1.0)
        assert old is not None
    advance.advance_job(context, job_id)
    with pytest.raises(FenceLost), context.database.write() as session:
        discard.decide_early_discard(session, job_id, old)
    assert [run.status for run in load_runs(context, job_id)] == [
        "discarded",
        "queued",
        "queued",
        "discarded",
    ]


def test_an_extension_during_publishing_keeps_the_job_open(context: WorkerContext) -> None:
    job = add_job(context.database, runs=1)
    lease = claim_next_run(context)
    assert lease is not None
    with context.database.write() as session:
        Runs(session).finish_run(lease, RunState.FAILED)
    with context.database.write() as session:
        publisher = JobAdvances(session).claim_to_advance(job.id, 60.0)
        assert publisher is not None
    with context.database.write() as session:
        Jobs(session).reopen_job(session.get_one(Job, job.id))
        old = session.get_one(Run, lease.run_id)
        values = {
            "id": "ftrun-more",
            "index": 1,
            "purpose": "main",
            "seed": 1,
            "init_seed": 1,
            "data_seed": 1,
        }
        session.add(
            Run(
                **values,
                job_id=job.id,
                owner_id=old.owner_id,
                status="queued",
                total_steps=10,
                diagnosis=[],
            )
        )
    with pytest.raises(FenceLost), context.database.write() as session:
        JobAdvances(session).finish_job(job.id, publisher, JobState.FAILED)
    assert load_job(context, job.id).status in ("queued", "running")
    more = claim_next_run(context)
    assert more is not None
    assert more.run_id == "ftrun-more"
