"""Read the headers by which a repeated request is recognized."""

import re
import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header
from pydantic import AfterValidator, WithJsonSchema

_KEY_PATTERN = "[!-~]{1,255}"


def _check_key(key: str) -> str:
    if re.fullmatch(_KEY_PATTERN, key) is None:
        raise ValueError("the key must have 1 to 255 visible ASCII characters and no spaces")
    return key


IdempotencyKey = Annotated[
    Annotated[
        str,
        AfterValidator(_check_key),
        WithJsonSchema({"type": "string", "pattern": f"^{_KEY_PATTERN}$"}),
    ]
    | None,
    Header(
        description="A key chosen by the caller. Sending the same request again with the same key "
        "has no further effect."
    ),
]
RetryCount = Annotated[
    int,
    Header(
        ge=0,
        alias="x-stainless-retry-count",
        description="Number of retries so far; the official client sets it on repeated requests.",
    ),
]


@dataclass(frozen=True)
class RequestIdentity:
    """The idempotency key, the retry count and the time of arrival of a request."""

    key: str | None = None
    retry_count: int = 0
    arrived_at: float = field(default_factory=time.monotonic)
    """On the clock of ``time.monotonic``."""

    @property
    def is_resent(self) -> bool:
        return self.retry_count > 0


async def _read_request_identity(
    idempotency_key: IdempotencyKey = None, retry_count: RetryCount = 0
) -> RequestIdentity:
    # async, because a plain function would wait for a thread before it takes the time of arrival
    return RequestIdentity(idempotency_key, retry_count)


RequestIdentityDep = Annotated[RequestIdentity, Depends(_read_request_identity)]
