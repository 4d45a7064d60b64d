"""Queries on worker machines: what they last told of themselves, and what they can be expected to do."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.tables import Worker

SILENT_S = 60.0
"""A worker not heard of for so long is taken for gone."""
FORGOTTEN_S = 24 * 3600.0


class Workers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def beat(self, name: str, host: str, devices: Sequence[str]) -> None:
        """It is there, with a slot a device named; those that have been silent for a day are forgotten."""
        known = update(Worker).where(Worker.name == name)
        values = {"slots": len(devices), "devices": list(devices), "last_beat": db_now()}
        if self._session.scalar(known.values(**values).returning(Worker.name)) is None:
            self._session.add(
                Worker(name=name, host=host, slots=len(devices), devices=list(devices))
            )
        self._session.execute(delete(Worker).where(Worker.last_beat < db_now() - FORGOTTEN_S))

    def heard_of(self) -> Sequence[Worker]:
        """Those of the last minute, by name."""
        lately = select(Worker).where(Worker.last_beat > db_now() - SILENT_S)
        return self._session.scalars(lately.order_by(Worker.name)).all()

    def slots(self) -> int:
        """Of all workers heard of in the last minute."""
        lately = select(func.sum(Worker.slots)).where(Worker.last_beat > db_now() - SILENT_S)
        return int(self._session.scalar(lately) or 0)
