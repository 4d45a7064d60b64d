"""The heartbeat renews each lease of a slot until the run is released."""

from sqlalchemy import update

from shared.db.runs import Lease, Runs
from shared.db.stack_claim import StackClaimer
from shared.db.tables import Run
from tests.processes import until
from tests.rows import add_job
from worker.context import WorkerContext
from worker.runs.lease import Heartbeat


def claim_runs(staged: WorkerContext, runs: int) -> list[Lease]:
    add_job(staged.database, runs=runs)
    with staged.database.write() as session:
        first = Runs(session).claim_next("here:1", 60.0)
        assert first is not None
        return [
            first,
            *StackClaimer(session, "here:1", 60.0).claim_runs(first, max_size=runs, slot_count=1),
        ]


def get_lease_ends(staged: WorkerContext) -> dict[str, float | None]:
    with staged.database.read() as session:
        return {run.id: run.lease_until for run in session.query(Run)}


def update_run(staged: WorkerContext, hold: Lease, **values: object) -> None:
    with staged.database.write() as session:
        session.execute(update(Run).where(Run.id == hold.run_id).values(**values))


def test_a_lost_lease_is_reported_and_the_others_are_renewed(staged: WorkerContext) -> None:
    first, lost, last = claim_runs(staged, 3)
    update_run(staged, lost, fence=lost.fence + 1, status="queued", lease_until=None)
    before = get_lease_ends(staged)
    with Heartbeat(
        staged.database, [first, lost, last], interval=0.02, lease_seconds=600.0
    ) as beat:
        until(
            lambda: (get_lease_ends(staged)[last.run_id] or 0) > (before[last.run_id] or 0) + 500,
            "no beat",
        )
        until(lambda: bool(beat.lost_run_ids), "the loss is not told")
    after = get_lease_ends(staged)
    assert beat.lost_run_ids == {lost.run_id}
    assert after[lost.run_id] is None
    assert (after[first.run_id] or 0) > (before[first.run_id] or 0) + 500


def test_a_released_run_is_not_renewed(staged: WorkerContext) -> None:
    ended, other = claim_runs(staged, 2)
    update_run(staged, ended, lease_until=5.0)
    update_run(staged, other, lease_until=5.0)
    beat = Heartbeat(staged.database, [ended, other], interval=0.02, lease_seconds=600.0)
    beat.drop_lease(ended)
    with beat:
        until(lambda: get_lease_ends(staged)[other.run_id] != 5.0, "no beat")
    assert get_lease_ends(staged)[ended.run_id] == 5.0
    assert beat.lost_run_ids == set()
