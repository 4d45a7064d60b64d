"""When a hub that does not answer is asked again: after growing delays, up to a limit in all."""

from shared.domain.errors import HubNotReachable

FIRST_DELAY_S = 5.0
MAX_DELAY_S = 300.0


def compute_delay(attempt: int) -> float:
    """Return the seconds between an attempt, from 1, and the next one: doubled up to a limit."""
    return float(min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(attempt - 1, 10)))


def plan_retry(attempt: int, error: HubNotReachable, limit_seconds: float) -> float | None:
    """Return the seconds until the next attempt, or None if that would exceed the limit.

    ``attempt`` is the number of the one that failed, from 1. ``limit_seconds`` bounds the delays
    of all attempts together (EVENKEEL_HUB_RETRY_SECONDS); earlier ones count with the standard
    delays, whatever ``Retry-After`` said.
    """
    delay = max(compute_delay(attempt), error.retry_after_s)
    waited = sum(map(compute_delay, range(1, attempt)))
    return None if waited + delay > limit_seconds else delay
