"""Work beyond a bound is refused, and told when the longest running one should have ended."""

import time
from contextlib import ExitStack

import pytest

from api.limited_work import LimitedWork
from shared.domain.limit_errors import ServiceBusy


def get_retry_after(work: LimitedWork) -> int:
    with pytest.raises(ServiceBusy, match=r"Too many drawings are in progress; retry in") as error:
        work.begin("file").__enter__()
    assert error.value.param == "file"
    return int(error.value.response_headers["retry-after"])


def test_the_time_to_retry_follows_what_the_work_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    work = LimitedWork("drawings", 2)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(work.begin())
        second.enter_context(work.begin())
        assert get_retry_after(work) == 1
        now += 30
        assert get_retry_after(work) == 30  # nothing else is known
        first.close()
        first.enter_context(work.begin())
        second.close()
        second.enter_context(work.begin())
        now += 10
        assert get_retry_after(work) == 20
    with work.begin():
        pass


def test_a_failure_leaves_its_place() -> None:
    work = LimitedWork("drawings", 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), work.begin():
            raise ValueError("broken")
