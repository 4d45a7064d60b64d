"""A real worker on a real Redis, in which every kind of message was planted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from shared.infra.broker import QUEUE_NAME, JobQueue
from shared.infra.broker_transport import rebuild_message
from tests.security.poison_messages import (
    DAMAGED,
    RAW_ITEMS,
    STRANGE_HEADERS,
    build_message,
    encode_all,
)
from tests.servers import RedisServer, wait_until
from tests.stack import Stack

PRIORITY_QUEUES = [f"{QUEUE_NAME}\x06\x16{priority}" for priority in (3, 6, 9)]
WAIT_S = 240.0


@pytest.fixture
def stack(tmp_path: Path, redis: RedisServer, model_dir: Path) -> Iterator[Stack]:
    home = tmp_path / "home"
    home.mkdir()
    url = f"sqlite:///{home}/evenkeel.db"
    apply_migrations(url)
    stack = Stack(home, url, redis, model_dir, slots=1)
    yield stack
    stack.close()


def _wait_until_empty(stack: Stack, *keys: str) -> None:
    def is_empty() -> bool:
        assert stack.processes["worker"].poll() is None, stack.logs()
        client = stack.redis.client()
        return not any(client.exists(key) for key in keys)

    wait_until(is_empty, seconds=WAIT_S, description="the worker to empty its queues")


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_message_is_not_delivered(name: str) -> None:
    with pytest.raises(ValueError):
        rebuild_message(json.loads(json.dumps(DAMAGED[name])))


@pytest.mark.parametrize("name", STRANGE_HEADERS)
def test_of_a_message_only_task_and_id_are_delivered(name: str) -> None:
    fresh = rebuild_message(STRANGE_HEADERS[name])
    assert fresh["body"] == rebuild_message(build_message())["body"]
    assert set(fresh["headers"]) == {"lang", "task", "id", "root_id"}
    assert isinstance(fresh["headers"]["id"], str)


def test_no_message_ends_a_worker(stack: Stack) -> None:
    client = stack.redis.client()
    for key in (QUEUE_NAME, *PRIORITY_QUEUES):
        client.lpush(key, *encode_all())
    stack.start("worker")
    _wait_until_empty(stack, QUEUE_NAME, *PRIORITY_QUEUES)
    dropped = (len(RAW_ITEMS) + len(DAMAGED)) * (1 + len(PRIORITY_QUEUES))
    log = (stack.home / "worker.log").read_text()
    assert f"message_dropped total={dropped // 100 * 100} " in log
    assert "\x1b" not in log
    assert JobQueue(stack.redis.url).notify(("run.wake", "ftrun-unknown"))
    _wait_until_empty(stack, QUEUE_NAME)


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "KEY", "x"),
        ("HSET", "KEY", "a", "b"),
        ("SADD", "KEY", "x"),
        ("ZADD", "KEY", "1", "x"),
        ("XADD", "KEY", "*", "a", "b"),
    ],
    ids=lambda command: command[0],
)
def test_a_queue_replaced_by_another_type_is_deleted(
    stack: Stack, command: tuple[str, ...]
) -> None:
    client = stack.redis.client()
    for key in (QUEUE_NAME, PRIORITY_QUEUES[1]):
        client.execute_command(  # type: ignore[no-untyped-call]
            *(part.replace("KEY", key) for part in command)
        )
    stack.start("worker")
    _wait_until_empty(stack, QUEUE_NAME, PRIORITY_QUEUES[1])


def test_damaged_keys_of_the_library_stop_neither_worker_nor_sender(stack: Stack) -> None:
    client = stack.redis.client()
    for key in ("unacked_index", "_kombu.binding.evenkeel", "unacked_mutex"):
        client.set(key, b"\xff")
    client.hset("unacked", "x", b"\xff not JSON")
    for channel in ("/0.celery.pidbox", "celery.pidbox", "/0.celeryev/worker.online"):
        client.publish(channel, b"\xff")
    stack.start("worker")
    assert JobQueue(stack.redis.url).notify(("run.wake", "ftrun-unknown"))
    _wait_until_empty(stack, QUEUE_NAME)
    client.delete("unacked_index")
    client.zadd("unacked_index", {b"\xff\x00": 1})
    stack.terminate("worker")
    stack.start("worker")
    assert JobQueue(stack.redis.url).notify(("run.wake", "ftrun-unknown"))
    _wait_until_empty(stack, QUEUE_NAME)
