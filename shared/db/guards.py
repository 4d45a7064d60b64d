"""Conditions that guard the UPDATE of a state by the table of legal moves."""

from sqlalchemy import ColumnElement

from shared.db.tables import Job, Run
from shared.domain.moves import JobMove, RunMove


def can_move_run(move: RunMove) -> ColumnElement[bool]:
    """Condition: the run is in a state that the move may leave."""
    return Run.status.in_(sorted(move.sources))


def can_move_job(move: JobMove) -> ColumnElement[bool]:
    """Condition: the job is in a state that the move may leave."""
    return Job.status.in_(sorted(move.sources))
