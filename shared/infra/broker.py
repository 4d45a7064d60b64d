"""The bell: Celery messages on Redis that carry an id and nothing else. Losing one costs time, never a run.

Settings with their reasons; what they were measured against is in ``docs/decisions/0002-database-is-the-truth.md``.
"""

import logging
from typing import TYPE_CHECKING

from shared.db.session import Message

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)
QUEUE = "evenkeel"


def make_celery(redis_url: str) -> "Celery":
    """The Celery application of both ends; the tasks themselves are the worker's (``worker.tasks``)."""
    from celery import Celery  # a tenth of a second that importing the API should not cost

    app = Celery("evenkeel", broker=redis_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,  # no second truth beside the database
        task_acks_late=False,  # a message is a hint; late acknowledgement re-delivers long tasks while they run
        task_publish_retry=False,  # a request must not hang on the broker; the sweeper rings again
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # a waiting run must not be parked behind a long one
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,  # cancel and limits live in the database and the supervisor
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": 3,  # a frozen broker must not block the caller for good
            "socket_connect_timeout": 2,
            "health_check_interval": 5,
            "visibility_timeout": 60,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
    )
    return app


class BrokerAway(Exception):
    """The broker does not answer at the moment."""


class Bell:
    """Sends messages; a broker that does not answer is logged and otherwise left to the sweeper."""

    def __init__(self, redis_url: str) -> None:
        self._app = make_celery(redis_url)
        # one try: kombu's own retries on connecting would hold a request up for six seconds a message
        self._app.conf.broker_transport_options |= {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        }
        self._redis_url = redis_url

    def ring(self, message: Message) -> bool:
        """True if the broker took the message."""
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        task, identifier = message
        try:
            self._app.send_task(task, args=[identifier], queue=QUEUE)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("broker_unreachable task=%s id=%s error=%s", task, identifier, error)
            return False
        return True

    def depth(self) -> int:
        """Messages waiting. Raises BrokerAway."""
        from redis import Redis
        from redis.exceptions import RedisError

        url = self._redis_url.replace("redis+socket://", "unix://", 1).split("?", maxsplit=1)[0]
        try:
            with Redis.from_url(url, socket_timeout=3, socket_connect_timeout=2) as client:
                depth = client.llen(QUEUE)
        except (RedisError, OSError) as error:
            raise BrokerAway(str(error)) from error
        assert isinstance(depth, int)
        return depth

    def close(self) -> None:
        self._app.close()
