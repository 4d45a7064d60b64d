"""Registration of this machine's worker and its devices in the database."""

import os
import socket

from shared.db.session import Database
from shared.db.workers import Workers
from shared.infra.settings import Settings
from worker.maintenance.health import list_missing_programs


def register_worker(settings: Settings, database: Database) -> None:
    """Renew the registration of this machine's worker if it runs. Raises SQLAlchemyError."""
    if "worker" in list_missing_programs():
        return
    host = socket.gethostname()
    with database.write() as session:
        Workers(session).record_heartbeat(f"{host}:{os.getpid()}", host, list_devices(settings))


def list_devices(settings: Settings) -> list[str]:
    """Return the device of each of the worker's slots."""
    if settings.gpus == 0:
        return ["cpu"] * settings.worker_slots
    return [f"cuda:{slot % settings.gpus}" for slot in range(settings.worker_slots)]
