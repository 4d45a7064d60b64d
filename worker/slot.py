"""A slot's life: claim runs of one job, have them trained side by side, record how each ended; one run is the usual number."""

from collections.abc import Iterator, Sequence

from shared.db.jobs import Jobs
from worker.app import is_shutting_down
from worker.context import WorkerParts
from worker.db_retry import pause
from worker.jobs import advance
from worker.runs.assignment import Assignment
from worker.runs.claim import claim
from worker.runs.finalizer import Ends
from worker.runs.lease import Heartbeat
from worker.runs.monitor import Follower
from worker.runs.outcomes import Outcome, Unprepared
from worker.runs.preparation import prepare

UNPREPARED_PAUSE_S = 20.0
OTHERS_TO_ADVANCE = 5


def train_queued(parts: WorkerParts, *, prefer: str | None = None) -> None:
    """Train the preferred run, then whatever is queued, oldest first, until nothing is or the worker is asked to go."""
    while not is_shutting_down():
        assignments = claim(parts, prefer)
        if not assignments:
            return
        prefer = None
        try:
            sound = _train(parts, assignments)
        except BaseException:
            parts.trainer.kill()  # it must not go on with runs that nobody follows
            raise
        finally:
            for assignment in assignments:
                assignment.leave_nothing(parts)
        if not sound:
            # else a machine with a full disk would claim every run there is, one after the other
            pause(UNPREPARED_PAUSE_S)
        _advance_jobs(parts, assignments[0].job.id)


def _advance_jobs(parts: WorkerParts, job_id: str) -> None:
    """Advance these runs' job if they were the last to move, and those whose message waits behind children as busy as this one."""
    advance.advance(parts, job_id)
    with parts.database.read() as session:
        others = Jobs(session).to_advance(OTHERS_TO_ADVANCE)
    for other in others:
        advance.advance(parts, other)


def _train(parts: WorkerParts, assignments: Sequence[Assignment]) -> bool:
    """From claim to end; False where this machine could not begin a run, or keep what it made."""
    settings, holds = parts.settings, [assignment.hold for assignment in assignments]
    parts.trainer.words.forget()
    beat = Heartbeat(
        parts.database, holds, interval=settings.heartbeat_seconds, lease=settings.lease_seconds
    )
    with beat, Ends(parts, beat) as ends:
        for assignment, outcome in _outcomes(parts, assignments, beat):
            ends.take(assignment, outcome)
    return ends.all_kept


def _outcomes(
    parts: WorkerParts, assignments: Sequence[Assignment], beat: Heartbeat
) -> Iterator[tuple[Assignment, Outcome | Unprepared]]:
    """As each comes."""
    made = prepare(parts, assignments)
    yield from made.others
    if made.ready:
        yield from Follower(parts, made.ready, beat).follow(made.wish)
