"""Search of an owner's jobs by state, model and words, for people who look for one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from shared.db.tables import Job
from shared.domain.states import ENDED_JOB_STATES, OPEN_JOB_STATES, JobState


class JobOrder(StrEnum):
    """Orders of a list of jobs; a leading hyphen reverses one."""

    NEWEST = "-created"
    OLDEST = "created"
    NAME = "name"
    NAME_REVERSED = "-name"
    MODEL = "model"
    MODEL_REVERSED = "-model"
    STATE = "state"
    STATE_REVERSED = "-state"


class JobStates(StrEnum):
    """Sets of states that a list can be limited to."""

    ANY = ""
    OPEN = "open"
    ENDED = "ended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobSearch(NamedTuple):
    """What a list of jobs is limited to, and its order."""

    states: JobStates = JobStates.ANY
    model: str = ""
    text: str = ""
    """Part of the job's suffix, ID or model, in any case."""
    order: JobOrder = JobOrder.NEWEST
    file_id: str = ""
    """File that the jobs read, or start from."""


_STATES: Final = {
    JobStates.OPEN: OPEN_JOB_STATES,
    JobStates.ENDED: ENDED_JOB_STATES,
    JobStates.SUCCEEDED: {JobState.SUCCEEDED},
    JobStates.FAILED: {JobState.FAILED},
    JobStates.CANCELLED: {JobState.CANCELLED},
}
_FILE_COLUMNS: Final = (
    Job.training_file,
    Job.validation_file,
    Job.test_file,
    Job.unlabelled_file,
    Job.model,
)
_ORDER_COLUMNS: Final = {
    "created": Job.id,  # IDs sort by creation time
    "name": func.lower(func.coalesce(Job.suffix, Job.id)),
    "model": Job.model,
    "state": Job.status,
}


def find_jobs(
    session: Session, owner_id: str, search: JobSearch, *, offset: int, limit: int
) -> tuple[Sequence[Job], int]:
    """Return some of the owner's jobs that fit the search, and the number of all of them."""
    conditions = [Job.owner_id == owner_id, *_build_conditions(search)]
    total = session.scalar(select(func.count()).select_from(Job).where(*conditions)) or 0
    column = _ORDER_COLUMNS[search.order.removeprefix("-")]
    is_descending = search.order.startswith("-")
    query = select(Job).where(*conditions).offset(offset).limit(limit)
    ordered = query.order_by(column.desc() if is_descending else column.asc(), Job.id.desc())
    return session.scalars(ordered).all(), total


def list_models_of_jobs(session: Session, owner_id: str) -> Sequence[str]:
    """List the models of the owner's jobs, by name."""
    query = select(Job.model).where(Job.owner_id == owner_id).distinct().order_by(Job.model)
    return session.scalars(query).all()


def _build_conditions(search: JobSearch) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if search.states is not JobStates.ANY:
        conditions.append(Job.status.in_(_STATES[search.states]))
    if search.model:
        conditions.append(Job.model == search.model)
    if search.text:
        columns = (Job.suffix, Job.id, Job.model)
        conditions.append(
            or_(*(column.icontains(search.text, autoescape=True) for column in columns))
        )
    if search.file_id:
        conditions.append(or_(*(column == search.file_id for column in _FILE_COLUMNS)))
    return conditions
