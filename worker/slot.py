"""The main loop of a slot: claim runs of one job, train them together, record each outcome."""

from collections.abc import Iterator, Sequence

from shared.db.job_advances import JobAdvances
from worker.app import is_shutting_down
from worker.context import WorkerContext
from worker.db_retry import sleep_unless_shutting_down
from worker.jobs import advance
from worker.runs.assignment import Assignment
from worker.runs.claim import claim_runs
from worker.runs.finalizer import RunFinalizer
from worker.runs.lease import Heartbeat
from worker.runs.monitor import RunMonitor
from worker.runs.outcomes import Outcome
from worker.runs.preparation import prepare_runs

UNPREPARED_DELAY_S = 20.0
MAX_OTHER_JOBS = 5


def train_queued_runs(context: WorkerContext, *, preferred_run_id: str | None = None) -> None:
    """Train the preferred run, then queued runs, oldest first.

    Returns when the queue is empty or the worker shuts down. The trainer is then left without work.
    """
    try:
        _train_until_empty(context, preferred_run_id)
    finally:
        context.trainer.end_when_idle()


def _train_until_empty(context: WorkerContext, preferred_run_id: str | None) -> None:
    while not is_shutting_down():
        assignments = claim_runs(context, preferred_run_id)
        if not assignments:
            return
        preferred_run_id = None
        try:
            is_machine_fit = _train_runs(context, assignments)
        except BaseException:
            context.trainer.kill()  # nothing monitors its runs any more
            raise
        finally:
            for assignment in assignments:
                assignment.delete_folders(context)
        if not is_machine_fit:
            # without this delay a machine with a full disk would claim every queued run in turn
            sleep_unless_shutting_down(UNPREPARED_DELAY_S)
        _advance_jobs(context, assignments[0].job.id)


def _advance_jobs(context: WorkerContext, job_id: str) -> None:
    """Advance this job and others that are waiting to advance.

    The messages of the others may be queued behind slots that are busy training.
    """
    advance.advance_job(context, job_id)
    with context.database.read() as session:
        other_job_ids = JobAdvances(session).list_ready_to_advance(MAX_OTHER_JOBS)
    for other_job_id in other_job_ids:
        advance.advance_job(context, other_job_id)


def _train_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> bool:
    """Prepare, train and finalize claimed runs.

    Return False if this machine could not start a run or store its artifacts.
    """
    settings = context.settings
    context.trainer.stderr_tail.clear()
    heartbeat = Heartbeat(
        context.database,
        [assignment.lease for assignment in assignments],
        interval=settings.heartbeat_seconds,
        lease_seconds=settings.lease_seconds,
    )
    with heartbeat, RunFinalizer(context, heartbeat) as finalizer:
        for assignment, outcome in _iterate_outcomes(context, assignments, heartbeat):
            finalizer.submit_outcome(assignment, outcome)
    return finalizer.is_machine_fit


def _iterate_outcomes(
    context: WorkerContext, assignments: Sequence[Assignment], heartbeat: Heartbeat
) -> Iterator[tuple[Assignment, Outcome]]:
    """Yield each run with its outcome as soon as it ends."""
    preparation = prepare_runs(context, assignments)
    yield from preparation.outcomes
    if preparation.command is not None:
        monitor = RunMonitor(context, preparation.ready, heartbeat)
        yield from monitor.monitor_runs(preparation.command)
