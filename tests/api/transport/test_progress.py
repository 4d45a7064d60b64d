"""Who is too slow: by speed over windows in which the server was reading."""

from api.transport.limits import TransportLimits
from api.transport.progress import BodyPace, ResponsePace

LIMITS = TransportLimits(body_seconds=10, body_bytes_per_second=1_000, unread_seconds=60)


def test_a_body_is_judged_by_each_window() -> None:
    pace = BodyPace(LIMITS)
    pace.start_window(100.0, 0)
    assert not pace.is_too_slow(109.0, 0)  # within the first window
    assert not pace.is_too_slow(110.0, 10_000)
    assert not pace.is_too_slow(119.0, 10_000)
    assert pace.is_too_slow(120.0, 19_999)  # what came earlier does not count
    pace.start_window(125.0, 19_999)  # the server did not read
    assert not pace.is_too_slow(134.0, 19_999)
    assert pace.is_too_slow(135.0, 20_000)


def test_a_response_must_be_taken_little_by_little() -> None:
    pace = ResponsePace(LIMITS)
    assert not pace.is_stalled(0.0, 500)
    assert not pace.is_stalled(60.0, 500)
    assert not pace.is_stalled(61.0, 499)
    assert not pace.is_stalled(121.0, 499)
    assert pace.is_stalled(121.5, 499)
    assert not pace.is_stalled(122.0, 0)
    assert not pace.is_stalled(500.0, 0)
