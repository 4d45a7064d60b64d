"""Redis as Celery speaks to it here: of a received message, only the task's name and the ID count.

Anyone who reaches Redis can put anything there. Of a message only the name and the ID are read;
Celery gets a fresh message with both, so that nothing else in one can reach it. Everything else is
logged, counted and dropped; the sweeper notifies again for whatever the database still has to do.
"""

import base64
import json
import logging
import uuid
from itertools import product
from queue import Empty
from typing import Annotated, Any, Final, Literal

from kombu.transport import redis, virtual
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
from redis.exceptions import RedisError, ResponseError

from shared.db.jobs import JOB_ADVANCE, RUN_WAKE

log = logging.getLogger(__name__)
MAX_BODY_CHARS: Final = 4096
MAX_SHOWN_CHARS: Final = 200
LOGGED_DROPS: Final = 100
"""Messages that are logged one by one; of later ones every hundredth, so that a flood fills no
disk.
"""

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,10}-[0-9A-Za-z-]{1,64}$")]
_BODY = TypeAdapter(tuple[tuple[Identifier], dict[str, None], dict[str, None]])


class _Headers(BaseModel):
    task: str


class _Properties(BaseModel):
    body_encoding: Literal["base64"]


class _Envelope(BaseModel):
    """The parts that are read of a message in Celery's protocol, version 2."""

    body: Annotated[str, StringConstraints(max_length=MAX_BODY_CHARS)]
    content_type: Literal["application/json"] = Field(alias="content-type")
    headers: _Headers
    properties: _Properties


def rebuild_message(message: object) -> dict[str, Any]:
    """Return a fresh message with the task and the ID of a received one. Raises ValueError for
    one that has none.
    """
    envelope = _Envelope.model_validate(message)
    task = envelope.headers.task
    if task not in (RUN_WAKE, JOB_ADVANCE):
        raise ValueError("unknown task")
    body = base64.b64decode(envelope.body, validate=True)
    (identifier,), _, _ = _BODY.validate_json(body)
    return _build_message(task, identifier)


def _build_message(task: str, identifier: str) -> dict[str, Any]:
    task_id = str(uuid.uuid4())
    body = json.dumps([[identifier], {}, {}]).encode()
    return {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": task_id, "root_id": task_id},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": task_id,
            "delivery_info": {"exchange": "", "routing_key": ""},
            "delivery_tag": task_id,
            "priority": 0,
        },
    }


def _describe_error(error: Exception) -> str:
    """Return on one line, and without the message's content, what is wrong with it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:MAX_SHOWN_CHARS]
    return f"{type(error).__name__}: {error}".partition("\n")[0][:MAX_SHOWN_CHARS]


class _DropCounter:
    """Counts the messages that this worker dropped, and logs them."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, reason: str) -> None:
        self._total += 1
        if self._total <= LOGGED_DROPS or self._total % LOGGED_DROPS == 0:
            log.warning("message_dropped total=%s reason=%s", self._total, reason)


_dropped = _DropCounter()


class _MemoryQoS(virtual.QoS):
    """Keeps deliveries that are not acknowledged in memory alone.

    Kombu keeps them in Redis and reads them back when a worker starts; a damaged one there would
    end every worker. A lost message costs time only.
    """

    restore_at_shutdown = False

    def restore_visible(self, *_: object, **__: object) -> None:
        """Restore nothing, because nothing was stored."""


class _Channel(redis.Channel):
    """Reads and writes the keys of the queue alone."""

    QoS = _MemoryQoS  # type: ignore[assignment]

    def _queue_bind(self, *_: object) -> None:
        """Store nothing in Redis, where kombu keeps routes that anyone may damage."""

    def get_table(self, exchange: str) -> object:
        """Return the routes that this process has declared."""
        return self.state.exchanges[exchange]["table"]

    def _brpop_read(self, **options: object) -> object:
        """Read and deliver a message; drop one that cannot be decoded, with Empty."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            self._delete_keys_of_other_types(error, *self.active_queues)
        except (Empty, RedisError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever a decoder raises for what is no message)
            _dropped.add(_describe_error(error))
        raise Empty

    def _size(self, queue: str) -> int:
        """Count the messages, as Celery does before it reads the first."""
        try:
            return int(super()._size(queue))  # type: ignore[no-untyped-call]
        except ResponseError as error:
            self._delete_keys_of_other_types(error, queue)
            return int(super()._size(queue))  # type: ignore[no-untyped-call]

    def _delete_keys_of_other_types(self, error: ResponseError, *queues: str) -> None:
        """Delete what stands in the place of a queue and is no list. Raises ``error`` if that is
        not what Redis complained about.
        """
        if "WRONGTYPE" not in str(error):  # a pipeline says first which command failed
            raise error
        with self.conn_or_acquire() as client:
            for queue, priority in product(queues, self.priority_steps):
                key = self._q_for_pri(queue, priority)  # type: ignore[no-untyped-call]
                kind = client.type(key)
                if kind not in (b"list", b"none", "list", "none"):
                    client.delete(key)
                    _dropped.add(f"the queue was a {kind!r}")


class Transport(redis.Transport):
    """Redis as kombu speaks to it, with every message checked before it is delivered."""

    Channel = _Channel

    def _deliver(self, message: object, queue: str) -> None:
        super()._deliver(rebuild_message(message), queue)  # type: ignore[no-untyped-call]
