"""Forward passes under concurrency: what shares one, who waits for whom, and who is refused."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from api.serving.pass_queue import PassQueue
from api.serving.pass_work import Requester
from shared.domain.errors import InvalidRequest
from shared.domain.limit_errors import ServiceBusy

TIMEOUT_S = 60.0
SOMEBODY = Requester("somebody")


class FakeModel:
    """A model whose rows are numbers and whose logits are their doubles; it fails on negative ones.

    Each pass is recorded when it begins, and ends when it is permitted to.
    """

    def __init__(self, permits: threading.Semaphore, passes: list[list[int]]) -> None:
        self._permits = permits
        self._passes = passes

    def run_pass(self, rows: Sequence[Any]) -> Any:
        self._passes.append(list(rows))
        assert self._permits.acquire(timeout=TIMEOUT_S)
        if min(rows) < 0:
            raise RuntimeError(f"row {min(rows)}")
        return np.array([[2.0 * row] for row in rows], np.float32)


class Stage:
    """A queue, two models that share permits and a record, and threads that ask."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.permits = threading.Semaphore(0)
        self.passes: list[list[int]] = []
        self.queue = PassQueue()
        self.first, self.second = (FakeModel(self.permits, self.passes) for _ in range(2))
        self._threads = threads

    def end_pass(self) -> None:
        """Let the pass that runs end, and wait until the next one has begun."""
        begun = len(self.passes)
        self.permits.release()
        wait_until(lambda: len(self.passes) > begun)

    def end_all(self) -> None:
        self.permits.release(1000)

    def ask(
        self,
        rows: Sequence[int],
        *,
        length: int = 10,
        model: FakeModel | None = None,
        requester: Requester = SOMEBODY,
    ) -> "Future[list[float]]":
        """Ask in a thread for the logits of rows of ``length`` tokens, and wait until it waits."""
        before = self._count_seen()
        asked = self._threads.submit(self._run, rows, length, model or self.first, requester)
        wait_until(lambda: self._count_seen() > before or asked.done())
        return asked

    def submit(self, rows: Sequence[int], length: int) -> "Future[list[float]]":
        """Ask in a thread, without waiting until it waits."""
        return self._threads.submit(self._run, rows, length, self.first, SOMEBODY)

    def _run(
        self, rows: Sequence[int], length: int, model: FakeModel, requester: Requester
    ) -> list[float]:
        passes = self.queue.run(model, rows, [length] * len(rows), requester)  # type: ignore[arg-type]
        by_row = {
            row: float(value)
            for group, logits in passes
            for row, value in zip(group, logits[:, 0], strict=True)
        }
        return [by_row[row] for row in range(len(rows))]

    def _count_seen(self) -> int:
        return len(self.passes) + len(self.queue._short) + len(self.queue._long)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ThreadPoolExecutor(64) as threads:
        made = Stage(threads)
        yield made
        made.end_all()  # else a failed test would wait for its threads


def test_a_lone_request_has_a_pass_at_once(stage: Stage) -> None:
    stage.end_all()
    assert stage.ask([3]).result(TIMEOUT_S) == [6.0]
    assert stage.ask([4, 5]).result(TIMEOUT_S) == [8.0, 10.0]
    assert stage.passes == [[3], [4, 5]]


def test_what_arrives_during_a_pass_shares_the_next_one(stage: Stage) -> None:
    asked = [stage.ask([number]) for number in range(32)]
    stage.end_all()
    assert [one.result(TIMEOUT_S) for one in asked] == [[2.0 * number] for number in range(32)]
    assert stage.passes == [[0], list(range(1, 32))]


def test_a_pass_has_one_model_and_a_bounded_number_of_tokens(stage: Stage) -> None:
    asked = [stage.ask([0])]
    asked += [
        stage.ask([number], length=300, model=stage.second if number % 2 else stage.first)
        for number in range(1, 11)
    ]
    stage.end_all()
    for number, one in enumerate(asked):
        assert one.result(TIMEOUT_S) == [2.0 * number]
    assert sorted(stage.passes[1:]) == [[1, 3, 5], [2, 4, 6], [7, 9], [8, 10]]


def test_a_short_text_is_not_padded_to_a_much_longer_one(stage: Stage) -> None:
    asked = [stage.ask([0])]
    asked += [stage.ask([number], length=500 if number == 1 else 5) for number in range(1, 6)]
    stage.end_all()
    for one in asked:
        one.result(TIMEOUT_S)
    assert stage.passes == [[0], [1], [2, 3, 4, 5]]


def test_long_requests_and_short_ones_alternate(stage: Stage) -> None:
    lists = [stage.ask([100 * k + row for row in range(4)], length=1024) for k in (1, 2)]
    texts = [stage.ask([1])]
    stage.end_pass()
    texts.append(stage.ask([2]))
    stage.end_all()
    assert [one.result(TIMEOUT_S) for one in texts] == [[2.0], [4.0]]
    for k, one in zip((1, 2), lists, strict=True):
        assert one.result(TIMEOUT_S) == [2.0 * (100 * k + row) for row in range(4)]
    assert stage.passes == [
        *([100], [1], [101], [2]),  # a text waits for one pass of a list
        *([200], [102], [201], [103], [202], [203]),
    ]


def test_owners_take_turns(stage: Stage) -> None:
    many = [
        stage.ask([100 * k + row for row in range(3)], length=1024, requester=Requester("many"))
        for k in (1, 2, 3)
    ]
    few = stage.ask([1, 2, 3], length=1024, requester=Requester("few"))
    stage.end_all()
    assert few.result(TIMEOUT_S) == [2.0, 4.0, 6.0]
    for one in many:
        one.result(TIMEOUT_S)
    assert [rows[0] for rows in stage.passes if rows[0] < 100] == [1, 2, 3]
    assert [rows[0] < 100 for rows in stage.passes[:6]] == [False, True] * 3


def test_a_text_rides_along_with_a_list_of_the_same_model(stage: Stage) -> None:
    long_list = stage.ask(list(range(10, 21)), length=100)  # passes of ten rows and of one
    stage.ask([1], model=stage.second)
    text = stage.ask([2], length=100)
    stage.end_all()
    assert text.result(TIMEOUT_S) == [4.0]
    assert long_list.result(TIMEOUT_S) == [2.0 * row for row in range(10, 21)]
    assert stage.passes == [list(range(10, 20)), [1], [20, 2]]


def test_an_error_stays_with_its_request(stage: Stage) -> None:
    asked = [stage.ask([row]) for row in (0, 1, -2, 3)]
    long_list = stage.ask([10, -11, 12], length=1024)
    stage.end_all()
    for row, one in zip((0, 1, 3), (asked[0], asked[1], asked[3]), strict=True):
        assert one.result(TIMEOUT_S) == [2.0 * row]
    with pytest.raises(RuntimeError, match="row -2"):
        asked[2].result(TIMEOUT_S)
    with pytest.raises(RuntimeError, match="row -11"):
        long_list.result(TIMEOUT_S)
    assert [12] not in stage.passes
    assert stage.ask([5]).result(TIMEOUT_S) == [10.0]


def test_a_client_that_has_gone_is_dropped(stage: Stage) -> None:
    gone = threading.Event()
    leaving = Requester("somebody", gone.is_set)
    long_list = stage.ask([10, 11, 12], length=1024, requester=leaving)
    text = stage.ask([1], requester=leaving)
    other = stage.ask([2])
    gone.set()
    stage.end_all()
    for left in (long_list, text):
        with pytest.raises(InvalidRequest, match="connection was closed"):
            left.result(TIMEOUT_S)
    assert other.result(TIMEOUT_S) == [4.0]
    assert stage.passes == [[10], [2]]


def test_only_who_has_waited_too_long_for_a_first_pass_is_refused(stage: Stage) -> None:
    late = Requester("somebody", deadline=time.monotonic())
    running = stage.ask([0], length=1024, requester=late)
    next_one = stage.ask([1], length=1024, requester=late)
    third = stage.ask([2], length=1024, requester=late)
    patient = stage.ask([3], length=1024)
    stage.end_all()
    assert running.result(TIMEOUT_S) == [0.0]
    assert next_one.result(TIMEOUT_S) == [2.0]  # its turn has come
    with pytest.raises(ServiceBusy, match="Too many texts") as refused:
        third.result(TIMEOUT_S)
    assert int(refused.value.response_headers["retry-after"]) >= 1
    assert patient.result(TIMEOUT_S) == [6.0]


def test_many_threads_get_their_own_results(stage: Stage) -> None:
    stage.end_all()
    for _ in range(10):
        asked = [
            stage.submit([1000 * number + row for row in range(1 + number % 40)], 5 + number)
            for number in range(50)
        ]
        for number, one in enumerate(asked):
            expected = [2.0 * (1000 * number + row) for row in range(1 + number % 40)]
            assert one.result(TIMEOUT_S) == expected
        stage.end_all()


def test_the_wait_begins_once_the_model_is_loaded() -> None:
    requester = Requester("somebody", patience_s=5.0)
    assert requester.deadline is None
    waiting = requester.start_waiting()
    assert waiting.deadline is not None
    assert 4.0 < waiting.deadline - time.monotonic() <= 5.0
    assert Requester("somebody").start_waiting().deadline is None
