"""Helpers to read and claim the rows of a job's stages."""

from shared.db.runs import Lease, Runs
from shared.db.tables import Event, Job, Run
from worker.context import WorkerContext


def get_job(parts: WorkerContext, job_id: str) -> Job:
    with parts.database.read() as session:
        return session.get_one(Job, job_id)


def list_runs(parts: WorkerContext, job_id: str, purpose: str = "main") -> list[Run]:
    with parts.database.read() as session:
        return list(Runs(session).list_by_job(job_id, purpose=purpose))


def list_events(parts: WorkerContext) -> list[str]:
    with parts.database.read() as session:
        return [event.message for event in session.query(Event).order_by(Event.seq)]


def claim_run(parts: WorkerContext) -> Lease | None:
    with parts.database.write() as session:
        return Runs(session).claim_next("w", 60.0)
