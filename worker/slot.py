"""A slot's life: claim runs of one job, have them trained side by side, record how each ended;
one run is the usual number.
"""

from collections.abc import Iterator, Sequence

from shared.db.jobs import Jobs
from worker.app import is_shutting_down
from worker.context import WorkerContext
from worker.db_retry import sleep_unless_shutting_down
from worker.jobs import advance
from worker.runs.assignment import Assignment
from worker.runs.claim import claim_runs
from worker.runs.finalizer import RunFinalizer
from worker.runs.lease import Heartbeat
from worker.runs.monitor import RunMonitor
from worker.runs.outcomes import Outcome, Unprepared
from worker.runs.preparation import prepare_runs

UNPREPARED_DELAY_S = 20.0
MAX_OTHER_JOBS = 5


def train_queued_runs(context: WorkerContext, *, preferred_run_id: str | None = None) -> None:
    """Train the preferred run, then whatever is queued, oldest first, until nothing is or the
    worker is asked to go.
    """
    while not is_shutting_down():
        assignments = claim_runs(context, preferred_run_id)
        if not assignments:
            return
        preferred_run_id = None
        try:
            sound = _train_runs(context, assignments)
        except BaseException:
            context.trainer.kill()  # it must not go on with runs that nobody follows
            raise
        finally:
            for assignment in assignments:
                assignment.delete_folders(context)
        if not sound:
            # else a machine with a full disk would claim every run there is, one after the other
            sleep_unless_shutting_down(UNPREPARED_DELAY_S)
        _advance_jobs(context, assignments[0].job.id)


def _advance_jobs(context: WorkerContext, job_id: str) -> None:
    """Advance these runs' job if they were the last to move, and those whose message waits
    behind children as busy as this one.
    """
    advance.advance_job(context, job_id)
    with context.database.read() as session:
        others = Jobs(session).to_advance(MAX_OTHER_JOBS)
    for other in others:
        advance.advance_job(context, other)


def _train_runs(context: WorkerContext, assignments: Sequence[Assignment]) -> bool:
    """From claim to end; False where this machine could not begin a run, or keep what it made."""
    settings, holds = context.settings, [assignment.lease for assignment in assignments]
    context.trainer.stderr_tail.clear()
    beat = Heartbeat(
        context.database,
        holds,
        interval=settings.heartbeat_seconds,
        lease_seconds=settings.lease_seconds,
    )
    with beat, RunFinalizer(context, beat) as ends:
        for assignment, outcome in _iterate_outcomes(context, assignments, beat):
            ends.submit_outcome(assignment, outcome)
    return ends.is_machine_fit


def _iterate_outcomes(
    context: WorkerContext, assignments: Sequence[Assignment], heartbeat: Heartbeat
) -> Iterator[tuple[Assignment, Outcome | Unprepared]]:
    """As each comes."""
    made = prepare_runs(context, assignments)
    yield from made.outcomes
    if made.ready:
        yield from RunMonitor(context, made.ready, heartbeat).monitor_runs(made.command)
