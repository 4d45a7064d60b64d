"""Limits of classification; ``tests.flow.test_classifications`` tests the predictions."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.types import Message

from api.classifications.batches import check_throughput
from api.classifications.client_watch import ClientWatch
from api.classifications.lookup_cache import LookupCache
from api.classifications.schemas import ClassificationRequest, Input, TextPair
from shared.domain.errors import InvalidValue, ModelNotFound
from shared.timings import CLASSIFICATION_LIMIT_S


@pytest.mark.parametrize(
    ("texts", "is_long"),
    [
        ("a text", False),
        (TextPair(text_a="a", text_b="b"), False),
        (["a"] * 32, False),
        (["a"] * 33, True),
        ("a" * 32_001, True),
        ([TextPair(text_a="a" * 20_000, text_b="b" * 20_000)], True),
    ],
)
def test_long_requests_do_not_take_the_threads_of_short_ones(
    texts: Input | list[Input], is_long: bool
) -> None:
    assert ClassificationRequest(model="ft:a", input=texts).is_long is is_long


def test_a_closed_connection_is_noticed_while_the_work_runs() -> None:
    closed = asyncio.Event()

    async def receive() -> Message:
        await closed.wait()
        return {"type": "http.disconnect"}

    def work(is_gone: Callable[[], bool], started: threading.Event) -> bool:
        started.set()
        end = threading.Event()
        return any(is_gone() or end.wait(0.01) for _ in range(6000))

    async def serve() -> None:
        started = threading.Event()
        with ClientWatch(receive) as client:
            working = asyncio.create_task(asyncio.to_thread(work, client.is_gone, started))
            while not started.is_set():
                await asyncio.sleep(0.01)
            assert not client.is_gone()
            closed.set()
            assert await working

    asyncio.run(serve())


class Reader:
    """Reads a number that counts its readings, unless it is told to fail."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def read(self) -> int:
        if self.fails:
            raise ModelNotFound("gone")
        self.count += 1
        return self.count


def test_a_lookup_is_read_again_once_it_expires_and_after_a_deletion() -> None:
    reader, cache = Reader(), LookupCache[int](lifetime_s=3600.0)
    assert [cache.get("a", reader.read) for _ in range(3)] == [1, 1, 1]
    assert cache.get("b", reader.read) == 2
    cache.clear()
    assert cache.get("a", reader.read) == 3
    reader.fails = True
    assert cache.get("a", reader.read) == 3
    with pytest.raises(ModelNotFound):
        cache.get("c", reader.read)

    reader, cache = Reader(), LookupCache[int](lifetime_s=0.0)
    assert [cache.get("a", reader.read) for _ in range(3)] == [1, 2, 3]
    reader.fails = True
    with pytest.raises(ModelNotFound):
        cache.get("a", reader.read)


def test_a_lookup_that_was_read_before_a_deletion_is_not_kept() -> None:
    reader, cache = Reader(), LookupCache[int](lifetime_s=3600.0)

    def read_while_deleted() -> int:
        cache.clear()
        return reader.read()

    assert cache.get("a", read_while_deleted) == 1
    assert cache.get("a", reader.read) == 2


def test_a_file_that_takes_longer_than_the_timeout_is_refused() -> None:
    check_throughput(1000, 20_000, CLASSIFICATION_LIMIT_S / 20)
    with pytest.raises(InvalidValue, match=r"10\.0 rows per second .* up to 5,400 rows") as refused:
        check_throughput(1000, 20_000, 100.0)
    assert refused.value.param == "input_file"
