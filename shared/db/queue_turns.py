"""Turns of owners in the queue: those with waiting runs are given slots one after the other.

An owner's turn is the number it was given with its last claim; the smallest has waited longest.
So however many runs one owner has queued, another one's first run is next after at most one claim
for each owner. Within an owner, the order is that of its jobs.
"""

from collections.abc import Sequence

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from shared.db.guards import can_move_run
from shared.db.tables import QueueTurn, Run
from shared.domain.moves import CLAIM_RUN
from shared.domain.states import RunState

CLAIMABLE = (can_move_run(CLAIM_RUN), Run.held.is_(False), Run.cancel_requested.is_(False))
"""Condition of runs that a worker may claim."""
_NEVER = 0  # the turn of an owner that has not been given a slot yet


def list_owners_in_turn(session: Session) -> Sequence[str]:
    """List the owners with waiting runs in the order of their turns."""
    return [owner_id for _, owner_id in sorted(_list_turns(session))]


def _list_turns(session: Session) -> list[tuple[int, str]]:
    """List the turns of the owners with waiting runs."""
    waiting = _select_waiting_owners().subquery()
    query = (
        select(func.coalesce(QueueTurn.turn, _NEVER), waiting.c.owner_id)
        .outerjoin(QueueTurn, QueueTurn.owner_id == waiting.c.owner_id)
        .where(waiting.c.owner_id.is_not(None))
    )
    return [(turn, owner_id) for turn, owner_id in session.execute(query)]


def take_turn(session: Session, owner_id: str) -> None:
    """Record that the owner has been given a slot: every other one comes before it now."""
    latest = select(func.coalesce(func.max(QueueTurn.turn), _NEVER) + 1).scalar_subquery()
    moved = session.execute(
        update(QueueTurn)
        .where(QueueTurn.owner_id == owner_id)
        .values(turn=latest)
        .returning(QueueTurn.turn)
    )
    if moved.first() is None:
        insert = (
            postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        )
        session.execute(
            insert(QueueTurn)
            .values(owner_id=owner_id, turn=latest)
            .on_conflict_do_update(index_elements=["owner_id"], set_={"turn": latest})
        )


def count_runs_ahead(session: Session, owner_id: str, job_id: str) -> int:
    """Count the waiting runs that are claimed before the job's first one, if none is added.

    These are those of the owner's older jobs and, of each other owner, as many as it has turns
    until then.
    """
    older = Run.owner_id == owner_id, Run.job_id < job_id
    own = session.scalar(select(func.count()).where(*CLAIMABLE, *older)) or 0
    turns = _list_turns(session)
    if all(owner == owner_id for _, owner in turns):
        return own
    own_turn = session.scalar(select(QueueTurn.turn).where(QueueTurn.owner_id == owner_id))
    place = own_turn or _NEVER, owner_id
    counts = _count_waiting_runs(session, owner_id)
    return own + sum(
        min(counts.get(other, 0), own + ((turn, other) < place)) for turn, other in turns
    )


def _count_waiting_runs(session: Session, except_owner_id: str) -> dict[str, int]:
    """Count the waiting runs of the other owners."""
    query = select(Run.owner_id, func.count()).where(*CLAIMABLE, Run.owner_id != except_owner_id)
    return {row[0]: row[1] for row in session.execute(query.group_by(Run.owner_id))}


def _select_waiting_owners() -> Select[str]:
    """Select each owner with waiting runs by one seek in the index of the queue.

    ``SELECT DISTINCT`` would read the whole queue for every claim.
    """
    first = select(func.min(Run.owner_id).label("owner_id")).where(*CLAIMABLE)
    owners = first.cte("waiting_owners", recursive=True)
    later = aliased(Run)
    following = (
        select(func.min(later.owner_id))
        .where(
            later.status == RunState.QUEUED,
            later.held.is_(False),
            later.cancel_requested.is_(False),
            later.owner_id > owners.c.owner_id,
        )
        .scalar_subquery()
    )
    owners = owners.union_all(select(following).where(owners.c.owner_id.is_not(None)))
    return select(owners.c.owner_id)
