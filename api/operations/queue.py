"""The state of the queue and of the workers, as far as a caller may see it."""

from collections.abc import Sequence

from api.dependencies import AppServices
from api.jobs.presenting.presenter import get_presentation_time, present_job
from api.jobs.schemas import JobObject
from api.operations.schemas import Queue, TrainingRun, WorkerObject
from shared.db.job_search import JobOrder, JobSearch, JobStates, find_jobs
from shared.db.queue import count_queue, list_busy_slots, list_runs_in_training
from shared.db.tables import Worker
from shared.db.workers import Workers
from shared.domain.api_keys import Scope
from shared.infra.broker import BrokerUnreachable


def read_queue(services: AppServices, *, with_messages: bool) -> Queue:
    """Return the caller's runs in the queue, and the installation's load to an administrator.

    ``with_messages`` also asks the job queue, which may take a while if it does not respond.
    """
    owner_id, is_admin = services.owner_id, services.caller.scope.allows(Scope.ADMIN)
    with services.database.read() as session:
        counts = count_queue(session, owner_id)
        own = Queue(
            depth=counts.waiting,
            paused=counts.paused,
            running=[
                TrainingRun(**run._asdict()) for run in list_runs_in_training(session, owner_id)
            ],
        )
        if not is_admin:
            return own
        busy_slots, workers = list_busy_slots(session), Workers(session).list_live()
    return own.model_copy(
        update={
            "total_depth": counts.total_waiting,
            "messages": _count_messages(services) if with_messages else None,
            "workers": [_build_worker_object(worker, busy_slots) for worker in workers],
        }
    )


def list_open_jobs(services: AppServices, limit: int) -> tuple[Sequence[JobObject], int]:
    """Return the caller's open jobs in the order in which their runs start, with their positions in
    the queue, and the number of all of them.
    """
    search, owner_id = JobSearch(JobStates.OPEN, order=JobOrder.OLDEST), services.owner_id
    with services.database.read() as session:
        jobs, total = find_jobs(session, owner_id, search, offset=0, limit=limit)
        now = get_presentation_time()
        return [present_job(session, job, now) for job in jobs], total


def _count_messages(services: AppServices) -> int | None:
    try:
        return services.job_queue.count_messages()
    except BrokerUnreachable:
        return None


def _build_worker_object(worker: Worker, busy_slots: Sequence[str]) -> WorkerObject:
    return WorkerObject(
        name=worker.name,
        host=worker.host,
        slots=worker.slots,
        busy=sum(slot.rpartition(":")[0] == worker.host for slot in busy_slots),
        devices=list(worker.devices),
        started_at=int(worker.started_at),
        last_beat=int(worker.last_beat),
    )
