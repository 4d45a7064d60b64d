"""The two Celery tasks. Their messages only wake a worker: the work is read from the database."""

from functools import cache

from billiard.process import current_process
from celery import Celery

from shared.db.jobs import JOB_ADVANCE, RUN_WAKE
from shared.db.references import build_blob_check
from shared.db.session import Database
from shared.infra.broker import JobQueue
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from worker import slot
from worker.context import WorkerContext
from worker.jobs import advance
from worker.trainer.process import Trainer


@cache
def _get_context() -> WorkerContext:
    """Build the context of this child process.

    This happens after the fork, because connections and the trainer must not be shared between
    processes.
    """
    settings = Settings()
    database = Database(settings.resolved_database_url, notify=JobQueue(settings.redis_url).notify)
    index = getattr(current_process(), "index", 0)  # billiard numbers a pool's children from 0
    storage = Storage(settings.resolved_storage_url, build_blob_check(database))
    return WorkerContext(settings, database, storage, Trainer(settings), index)


def register_tasks(app: Celery) -> None:
    @app.task(name=RUN_WAKE)  # type: ignore[untyped-decorator]
    def wake_run(run_id: str) -> None:
        slot.train_queued_runs(_get_context(), preferred_run_id=run_id)

    @app.task(name=JOB_ADVANCE)  # type: ignore[untyped-decorator]
    def advance_job(job_id: str) -> None:
        advance.advance_job(_get_context(), job_id)
