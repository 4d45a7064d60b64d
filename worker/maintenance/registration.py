"""A worker machine tells that it is there, and what it has."""

import os
import socket

from shared.db.session import Database
from shared.db.workers import Workers
from shared.infra.settings import Settings
from worker.maintenance.health import missing_programs

BEAT_S = 10.0


def tell_presence(settings: Settings, database: Database) -> None:
    """In the name of the worker on this machine, if one runs. Raises SQLAlchemyError."""
    if "worker" in missing_programs():
        return
    host = socket.gethostname()
    with database.write() as session:
        Workers(session).beat(f"{host}:{os.getpid()}", host, devices_of(settings))


def devices_of(settings: Settings) -> list[str]:
    """Of the worker's slots, in order."""
    if settings.gpus == 0:
        return ["cpu"] * settings.worker_slots
    return [f"cuda:{slot % settings.gpus}" for slot in range(settings.worker_slots)]
