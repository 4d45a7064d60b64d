"""A worker machine tells that it is there, and what it has."""

import os
import socket

from shared.db.session import Database
from shared.db.workers import Workers
from shared.infra.settings import Settings
from worker.maintenance.health import list_missing_programs

REGISTRATION_INTERVAL_S = 10.0


def register_worker(settings: Settings, database: Database) -> None:
    """In the name of the worker on this machine, if one runs. Raises SQLAlchemyError."""
    if "worker" in list_missing_programs():
        return
    host = socket.gethostname()
    with database.write() as session:
        Workers(session).beat(f"{host}:{os.getpid()}", host, list_devices(settings))


def list_devices(settings: Settings) -> list[str]:
    """Of the worker's slots, in order."""
    if settings.gpus == 0:
        return ["cpu"] * settings.worker_slots
    return [f"cuda:{slot % settings.gpus}" for slot in range(settings.worker_slots)]
