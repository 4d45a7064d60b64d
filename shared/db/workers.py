"""Queries on worker machines and their latest reports."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.tables import Worker
from shared.timings import WORKER_TIMEOUT_S

RETENTION_S = 24 * 3600.0


class Workers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def record_heartbeat(self, name: str, host: str, devices: Sequence[str]) -> None:
        """Record a worker's report, with the device of each slot, and delete workers silent for
        a day.
        """
        known = update(Worker).where(Worker.name == name)
        values = {"slots": len(devices), "devices": list(devices), "last_beat": db_now()}
        if self._session.scalar(known.values(**values).returning(Worker.name)) is None:
            self._session.add(
                Worker(name=name, host=host, slots=len(devices), devices=list(devices))
            )
        self._session.execute(delete(Worker).where(Worker.last_beat < db_now() - RETENTION_S))

    def list_live(self) -> Sequence[Worker]:
        """List the workers heard of in the last minute, by name."""
        lately = select(Worker).where(Worker.last_beat > db_now() - WORKER_TIMEOUT_S)
        return self._session.scalars(lately.order_by(Worker.name)).all()

    def count_slots(self) -> int:
        """Sum over all workers heard of in the last minute."""
        lately = select(func.sum(Worker.slots)).where(
            Worker.last_beat > db_now() - WORKER_TIMEOUT_S
        )
        return int(self._session.scalar(lately) or 0)
