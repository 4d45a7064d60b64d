"""The worker's Celery application, and the flag that tells its children to shut down."""

import logging
import signal
from multiprocessing import RawValue

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from shared.infra.broker import make_celery
from shared.infra.child_process import announce_start
from shared.infra.settings import Settings
from shared.infra.shutdown import ExitDeadline

log = logging.getLogger(__name__)

# Shared memory, allocated before the fork: the parent's signal handler sets it and the children
# poll it. It has no lock, because a signal handler may run at any moment.
_shutting_down = RawValue("b", 0)
_exit_deadline = ExitDeadline()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _on_shutdown(**_: object) -> None:
    _shutting_down.value = 1
    _exit_deadline.start()  # the kernel kills the children and their trainers with this process


@worker_ready.connect  # type: ignore[untyped-decorator]
def _on_ready(**_: object) -> None:
    _treat_quit_as_term()
    announce_start()


def _treat_quit_as_term() -> None:
    """Let SIGQUIT end the worker as SIGTERM does.

    Celery's own handler cancels tasks whose messages it has not acknowledged, of which there are
    none here, and then waits for runs that it has not told to stop.
    """
    signal.signal(signal.SIGQUIT, signal.getsignal(signal.SIGTERM))


def is_shutting_down() -> bool:
    """Return whether the worker was asked to exit; its runs are then stopped and requeued."""
    return bool(_shutting_down.value)


def make_worker(settings: Settings) -> Celery:
    app = make_celery(settings.redis_url)
    app.conf.update(
        worker_concurrency=settings.worker_slots,
        # with prefork, a child that hangs or dies affects only its own runs; neither the parent
        # nor a child imports torch
        worker_pool="prefork",
        worker_proc_alive_timeout=30,
    )
    return app
