"""The job queue: Celery messages on Redis that carry an id and nothing else. Losing one costs
time, never a run.

Each setting has its reason beside it; ``docs/decisions/0002-database-is-the-truth.md`` has the
measurements.
"""

import logging
from typing import TYPE_CHECKING

from shared.db.session import Message

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)
QUEUE_NAME = "evenkeel"
TRANSPORT = "shared.infra.broker_transport:Transport"


def make_celery(redis_url: str) -> "Celery":
    """Create the Celery application of both ends; the tasks are defined in ``worker.tasks``."""
    # imported here: saves a tenth of a second when the API is imported
    from celery import Celery
    from kombu.transport import TRANSPORT_ALIASES

    # Celery has an option for the transport, but a URL of the kind redis+socket:// overrides it
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = TRANSPORT

    app = Celery("evenkeel", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE_NAME,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,  # no second source of truth beside the database
        # a message is a hint; late acknowledgment would redeliver long tasks while they run
        task_acks_late=False,
        # a request must not wait for the broker; the sweeper notifies again
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # a waiting run must not be parked behind a long one
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        # cancellations are flags in the database, and the slot enforces the time limits
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # Redis refusing a command must not end a worker
        broker_transport_options={
            "socket_timeout": 3,  # a frozen broker must not block the caller for good
            "socket_connect_timeout": 2,
            "health_check_interval": 5,
        },
    )
    return app


class BrokerUnreachable(Exception):
    """The broker does not respond."""


class JobQueue:
    """Sends messages. If the broker does not respond, that is logged and the sweeper sends them
    later.
    """

    def __init__(self, redis_url: str) -> None:
        self._app = make_celery(redis_url)
        # one attempt: kombu's own connection retries would delay a request by six seconds per
        # message
        self._app.conf.broker_transport_options |= {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        }
        self._redis_url = redis_url

    def notify(self, message: Message) -> bool:
        """Send a message; True if the broker accepted it."""
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        task, identifier = message
        try:
            self._app.send_task(task, args=[identifier], queue=QUEUE_NAME)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("broker_unreachable task=%s id=%s error=%s", task, identifier, error)
            return False
        return True

    def count_messages(self) -> int:
        """Count the waiting messages. Raises BrokerUnreachable."""
        from redis import Redis
        from redis.exceptions import RedisError

        url = self._redis_url.replace("redis+socket://", "unix://", 1).split("?", maxsplit=1)[0]
        try:
            with Redis.from_url(url, socket_timeout=3, socket_connect_timeout=2) as client:
                depth = client.llen(QUEUE_NAME)
        except (RedisError, OSError) as error:
            raise BrokerUnreachable(str(error)) from error
        assert isinstance(depth, int)
        return depth

    def close(self) -> None:
        self._app.close()
