"""Every change of a state is a move of the tables, whatever users and machines do at once."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as check_machine
from sqlalchemy import update

from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.migrate import apply_migrations
from shared.db.recovery import RunRecovery
from shared.db.run_requests import RunRequests
from shared.db.runs import FenceLost, Lease, Runs
from shared.db.session import Database
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.moves import JOB_MOVES, RETRY_RUN, RUN_MOVES, Actor
from shared.domain.states import (
    ENDED_RUN_STATES,
    OPEN_JOB_STATES,
    OPEN_RUN_STATES,
    JobState,
    RunState,
    derive_job_state,
)
from tests.moves import AuditedMove, find_illegal_moves, install_audit, list_audited_moves
from tests.rows import add_job

RUNS = 3


def test_only_a_users_retry_leaves_an_ended_state() -> None:
    leaving = [move for move in RUN_MOVES if move.sources & ENDED_RUN_STATES]
    assert leaving == [RETRY_RUN]
    assert RETRY_RUN.actor is Actor.USER
    assert RunState.SUCCEEDED not in RETRY_RUN.sources
    machine = [move for move in JOB_MOVES if move.actor is Actor.MACHINE]
    assert all(move.sources <= OPEN_JOB_STATES for move in machine)


def test_the_audit_finds_what_the_tables_lack(database_url: str) -> None:
    apply_migrations(database_url)
    database = Database(database_url)
    install_audit(database.engine)
    run_id = _list_runs(database, add_job(database, runs=1).id)[0].id

    def force(status: str) -> None:
        with database.write() as session:
            session.execute(update(Run).where(Run.id == run_id).values(status=status))

    force("cancelled")
    assert find_illegal_moves(list_audited_moves(database.engine)) == []
    force("paused")
    illegal = find_illegal_moves(list_audited_moves(database.engine))
    assert illegal == [AuditedMove("runs", run_id, "cancelled", "paused")]
    database.dispose()


def test_a_second_ending_is_found_although_each_move_is_legal() -> None:
    ending = AuditedMove("runs", "r", "queued", "cancelled")
    retry = AuditedMove("runs", "r", "cancelled", "queued")
    assert find_illegal_moves([ending, retry, ending]) == []
    assert find_illegal_moves([ending, ending]) == [ending]


def _list_runs(database: Database, job_id: str) -> list[Run]:
    with database.read() as session:
        return list(Runs(session).list_by_job(job_id))


class StateMachine(RuleBasedStateMachine):
    """Users and several workers at one job, through the queries that the service uses."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.job_id = add_job(self.database, runs=RUNS).id
        self.leases: list[Lease] = []
        """Every lease that was ever granted: those of zombies stay."""

    # machines

    @rule()
    def claim(self) -> None:
        with self.database.write() as session:
            runs = Runs(session)
            claims = (
                runs.claim_run(run.id, run.state, "w", 60.0)
                for run in runs.list_by_job(self.job_id)
            )
            lease = next((lease for lease in claims if lease is not None), None)
            if lease is not None:
                runs.start_job(lease.run_id)
                self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        end=st.sampled_from(["succeeded", "failed", "cancelled", "requeue", "rung", "progress"]),
    )
    def write_with_a_lease(self, data: st.DataObject, end: str) -> None:
        """Write as the worker of any lease, which may have lost it long ago."""
        lease = data.draw(st.sampled_from(self.leases))
        with self.database.read() as session:
            run = session.get_one(Run, lease.run_id)
            holds = run.fence == lease.fence and run.status == RunState.RUNNING
        try:
            with self.database.write() as session:
                self._write(Runs(session), lease, end)
            is_written = True
        except FenceLost:
            is_written = False
        assert is_written == holds

    @staticmethod
    def _write(runs: Runs, lease: Lease, end: str) -> None:
        if end == "requeue":
            runs.requeue_run(lease)
        elif end == "rung":
            runs.pause_run(lease, f"runs/{lease.run_id}/{lease.fence}/state-5")
        elif end == "progress":
            runs.record_progress(lease, 60.0)
        else:
            runs.finish_run(lease, RunState(end))

    @rule()
    def expire_leases(self) -> None:
        with self.database.write() as session:
            session.execute(
                update(Run)
                .where(Run.job_id == self.job_id, Run.lease_until.is_not(None))
                .values(lease_until=1.0)
            )
            RunRecovery(session).release_expired_leases()

    @rule(keep=st.integers(0, RUNS))
    def decide_discard(self, keep: int) -> None:
        """Continue or discard the runs that wait, as only the holder of the job's fence may."""
        if any(run.pause_requested for run in _list_runs(self.database, self.job_id)):
            return
        with self.database.write() as session:
            if JobAdvances(session).claim_to_advance(self.job_id, 60.0) is None:
                return
            waiting = [
                run.id
                for run in Runs(session).list_by_job(self.job_id)
                if run.status == RunState.PAUSED
            ]
            Stages(session).resume_runs(waiting[:keep])
            Stages(session).discard_runs(waiting[keep:])
            session.execute(update(Job).where(Job.id == self.job_id).values(lease_until=None))

    @rule()
    def advance(self) -> None:
        with self.database.write() as session:
            fence = JobAdvances(session).claim_to_advance(self.job_id, 60.0)
            if fence is None:
                return
            job = session.get_one(Job, self.job_id)
            Stages(session).cancel_open_runs(self.job_id)
            states = [run.status for run in Runs(session).list_by_job(self.job_id)]
            end = derive_job_state(states, cancelled=job.cancel_requested)
            JobAdvances(session).finish_job(self.job_id, fence, end)

    # users

    def _request(self, action: Callable[[Jobs, RunRequests], None]) -> None:
        with self.database.write() as session:
            action(Jobs(session), RunRequests(session))

    @rule()
    def pause(self) -> None:
        def pause(jobs: Jobs, requests: RunRequests) -> None:
            if jobs.pause_job(self.job_id):
                requests.pause_runs(self.job_id)

        self._request(pause)

    @rule()
    def resume(self) -> None:
        def resume(jobs: Jobs, requests: RunRequests) -> None:
            if jobs.resume_job(self.job_id):
                requests.resume_runs(self.job_id)

        self._request(resume)

    @rule(index=st.integers(0, RUNS - 1))
    def cancel_a_run(self, index: int) -> None:
        run_id = _list_runs(self.database, self.job_id)[index].id
        self._request(lambda _, requests: requests.cancel_runs(self.job_id, run_id))

    @rule()
    def cancel(self) -> None:
        with self.database.write() as session:
            job = session.get_one(Job, self.job_id)
            if Jobs(session).request_cancel(job):
                RunRequests(session).cancel_runs(self.job_id)
                Jobs(session).finish_cancelled_job(self.job_id)

    @rule(index=st.integers(0, RUNS - 1))
    def retry(self, index: int) -> None:
        """Retry any run, also one that may not be: the guard, not the caller, refuses."""
        with self.database.write() as session:
            run = Runs(session).list_by_job(self.job_id)[index]
            job = session.get_one(Job, self.job_id)
            if run.status in OPEN_RUN_STATES or job.cancel_requested:
                return
            RunRequests(session).retry_run(run)
            session.refresh(run)
            if run.status == RunState.QUEUED:
                Jobs(session).reopen_job(job)
                session.refresh(job)
                if job.status == JobState.PAUSED:
                    RunRequests(session).pause_runs(job.id)

    # what holds at any time

    @invariant()
    def every_move_is_legal(self) -> None:
        moves = [
            move
            for move in list_audited_moves(self.database.engine)
            if move.id == self.job_id or move.kind == "runs"
        ]
        assert find_illegal_moves(moves) == []

    @invariant()
    def an_ended_job_has_no_open_run(self) -> None:
        with self.database.read() as session:
            job = session.get_one(Job, self.job_id)
            states = {run.status for run in Runs(session).list_by_job(self.job_id)}
        if job.status not in OPEN_JOB_STATES:
            assert not states & OPEN_RUN_STATES

    def teardown(self) -> None:
        with self.database.write() as session:
            session.delete(session.get_one(Job, self.job_id))
            session.connection().exec_driver_sql("DELETE FROM moves_audit")


def _fuzz(url: str, examples: int) -> None:
    apply_migrations(url)
    StateMachine.database = Database(url)
    install_audit(StateMachine.database.engine)
    try:
        check_machine(
            StateMachine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        StateMachine.database.dispose()


def test_any_order_of_requests_and_workers_makes_legal_moves_only() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _fuzz(f"sqlite:///{Path(folder) / 'test.db'}", 25)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_orders_make_legal_moves_only(database_url: str) -> None:
    _fuzz(database_url, 500)
