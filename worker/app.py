"""The Celery application of the worker, and the flag by which its children learn that it is
going.
"""

import logging
from multiprocessing import RawValue

from celery import Celery
from celery.signals import worker_shutting_down

from shared.infra.broker import make_celery
from shared.infra.settings import Settings

log = logging.getLogger(__name__)

# Shared memory made before the fork: the parent's signal handler sets it, the children's
# supervisors poll it. A lock-free value, because a handler may run at any moment.
_shutting_down = RawValue("b", 0)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _on_shutdown(**_: object) -> None:
    _shutting_down.value = 1


def is_shutting_down() -> bool:
    """Whether the worker was asked to go: running trainings are stopped and their runs queued
    again.
    """
    return bool(_shutting_down.value)


def make_worker(settings: Settings) -> Celery:
    app = make_celery(settings.redis_url)
    app.conf.update(
        worker_concurrency=settings.worker_slots,
        # a child that hangs or dies costs its own run only; neither parent nor child knows
        # torch
        worker_pool="prefork",
        worker_proc_alive_timeout=30,
    )
    return app
