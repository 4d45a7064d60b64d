"""A limit on the requests of an owner per second: a token bucket for each, in each process.

The headers are those of the hosted API: ``x-ratelimit-limit-requests`` is the size of the bucket,
``-remaining-requests`` what is left in it, ``-reset-requests`` the time until it is full again.
"""

import math
import time
from typing import NamedTuple

from shared.domain.limit_errors import RequestRateLimit

BURST_S = 2.0
"""The bucket holds the requests of so many seconds."""
_MAX_BUCKETS = 10_000


class RateState(NamedTuple):
    """A bucket after a request."""

    limit: int
    remaining: int
    reset_s: float

    def build_headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": _format_duration(self.reset_s),
        }


class RequestRateLimiter:
    """The buckets of all owners that have sent requests lately."""

    def __init__(self, requests_per_second: float) -> None:
        self._rate = requests_per_second
        self._limit = max(1, math.ceil(requests_per_second * BURST_S))
        self._buckets: dict[str, tuple[float, float]] = {}
        """Tokens by owner, and when they were counted."""

    def admit_request(self, owner_id: str) -> RateState:
        """Take a token of the owner. Raises RequestRateLimit if there is none."""
        now = time.monotonic()
        tokens, counted_at = self._buckets.get(owner_id, (float(self._limit), now))
        tokens = min(self._limit, tokens + (now - counted_at) * self._rate)
        if tokens < 1:
            wait_s = (1 - tokens) / self._rate
            raise RequestRateLimit(
                f"More than {self._rate:g} requests per second came with keys of this owner; retry "
                f"in {math.ceil(wait_s)} s, poll less often, or stream the events of a job.",
                retry_after_s=wait_s,
                extra_headers=self._describe(tokens).build_headers(),
            )
        self._buckets[owner_id] = (tokens - 1, now)
        if len(self._buckets) > _MAX_BUCKETS:
            self._forget_full_buckets(now)
        return self._describe(tokens - 1)

    def _describe(self, tokens: float) -> RateState:
        return RateState(self._limit, int(tokens), (self._limit - tokens) / self._rate)

    def _forget_full_buckets(self, now: float) -> None:
        self._buckets = {
            owner_id: (tokens, counted_at)
            for owner_id, (tokens, counted_at) in self._buckets.items()
            if tokens + (now - counted_at) * self._rate < self._limit
        }


def _format_duration(seconds: float) -> str:
    """Format a duration as the hosted API does: ``12ms``, ``1.5s``, ``6m0s``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s"
