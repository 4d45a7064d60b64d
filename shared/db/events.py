"""Queries on a job's events."""

import math
import re
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.db.pagination import PageRequest, build_invalid_cursor, is_of_same_owner
from shared.db.tables import Event, Job, Run

JOB_CANCELLED_MESSAGE = "The job was cancelled; the report of the runs that had ended is kept."


class Events:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        job: Job,
        message: str,
        *,
        level: str = "info",
        run_id: str | None = None,
        type: str = "message",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Append an event. ``level`` is info, warn or error; ``type`` is message, or metrics
        with step and values in ``data``.
        """
        self._session.add(
            Event(
                job_id=job.id,
                owner_id=job.owner_id,
                run_id=run_id,
                level=level,
                type=type,
                message=message,
                data=data,
            )
        )

    def delete_metrics(self, run_id: str, *, after_step: int = 0) -> None:
        """Delete the evaluations after ``after_step`` of a run that starts over or continues
        from that step.
        """
        job_id = (
            select(Run.job_id).where(Run.id == run_id).scalar_subquery()
        )  # the index covers this condition
        its = (Event.job_id == job_id, Event.run_id == run_id, Event.type == "metrics")
        evaluations = select(Event.seq, Event.data).where(*its)
        later = [
            seq for seq, data in self._session.execute(evaluations) if _get_step(data) > after_step
        ]
        if later:
            self._session.execute(delete(Event).where(Event.seq.in_(later)))

    def has_message(self, job_id: str, message: str) -> bool:
        """Return whether the job has an event with this text."""
        query = select(Event.seq).where(Event.job_id == job_id, Event.message == message)
        return self._session.scalar(query.limit(1)) is not None

    def find_first_time(self, job_id: str, beginning: str, since: float) -> float | None:
        """Return when the job first had an event that begins like this, from ``since`` on."""
        query = select(func.min(Event.created_at)).where(
            Event.job_id == job_id,
            Event.created_at >= since,
            Event.message.startswith(beginning, autoescape=True),
        )
        return self._session.scalar(query)

    def list_after(self, job_id: str, seq: int, limit: int) -> Sequence[Event]:
        """List the events with a larger number, oldest first."""
        query = select(Event).where(Event.job_id == job_id, Event.seq > seq)
        return self._session.scalars(query.order_by(Event.seq).limit(limit)).all()

    def list_page(self, job_id: str, page: PageRequest) -> tuple[Sequence[Event], bool]:
        query = select(Event).where(Event.job_id == job_id)
        if page.after is not None:
            seq = self._parse_cursor(job_id, page.after)
            query = query.where(Event.seq < seq if page.descending else Event.seq > seq)
        query = query.order_by(Event.seq.desc() if page.descending else Event.seq.asc()).limit(
            page.limit + 1
        )
        rows = self._session.scalars(query).all()
        return rows[: page.limit], len(rows) > page.limit

    def _parse_cursor(self, job_id: str, after: str) -> int:
        """Parse the number in a cursor. Raises InvalidRequest if it cannot be of this job's event.

        The event may have been deleted since (``delete_metrics``); another owner's counts as that.
        """
        seq = parse_event_id(after)
        of_owner = is_of_same_owner(Event.owner_id, job_id)
        job_of_seq = self._session.scalar(select(Event.job_id).where(Event.seq == seq, of_owner))
        if job_of_seq is None and seq > 0:
            last = self._session.scalar(select(func.max(Event.seq))) or 0
            job_of_seq = job_id if seq <= last + _MAX_DELETED_LAST_EVENTS else None
        if job_of_seq != job_id:
            raise build_invalid_cursor()
        return seq


_MAX_DELETED_LAST_EVENTS = 10_000
"""Largest distance of a deleted event's number from the last one that still exists."""
_EVENT_ID_PREFIX = "ftevent-"
EVENT_ID_PATTERN = rf"^{_EVENT_ID_PREFIX}[0-7][0-9a-f]{{15}}$"
"""Format the id of an event from its number, which fits into 63 bits."""
_EVENT_ID_REGEX = re.compile(rf"{_EVENT_ID_PREFIX}([0-9a-f]{{16}})")


def format_event_id(seq: int) -> str:
    return f"{_EVENT_ID_PREFIX}{seq:016x}"


def parse_event_id(identifier: str) -> int:
    """Parse the number in an event id; 0, which precedes every event, for an invalid id."""
    match = _EVENT_ID_REGEX.fullmatch(identifier)
    seq = 0 if match is None else int(match[1], 16)
    return seq if seq < 2**63 else 0


def _get_step(data: dict[str, JsonValue] | None) -> float:
    """Return the step of an evaluation; one without a step counts as the last."""
    step = math.inf if data is None else data.get("step")
    return step if isinstance(step, int) else math.inf
