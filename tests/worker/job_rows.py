"""Helpers to read and claim the rows of a job's stages."""

from shared.db.runs import Lease, Runs
from shared.db.tables import Event, Job, Run
from worker.context import WorkerContext


def load_job(context: WorkerContext, job_id: str) -> Job:
    with context.database.read() as session:
        return session.get_one(Job, job_id)


def load_runs(context: WorkerContext, job_id: str, purpose: str = "main") -> list[Run]:
    with context.database.read() as session:
        return list(Runs(session).list_by_job(job_id, purpose=purpose))


def load_event_messages(context: WorkerContext) -> list[str]:
    with context.database.read() as session:
        return [event.message for event in session.query(Event).order_by(Event.seq)]


def claim_next_run(context: WorkerContext) -> Lease | None:
    with context.database.write() as session:
        return Runs(session).claim_next("w", 60.0)
