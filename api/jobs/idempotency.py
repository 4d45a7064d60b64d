"""The headers by which a request that is sent again is known."""

import re
import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header
from pydantic import AfterValidator, WithJsonSchema

_KEY_PATTERN = "[!-~]{1,255}"


def _check_key(key: str) -> str:
    if re.fullmatch(_KEY_PATTERN, key) is None:
        raise ValueError("the key must be 1 to 255 visible ASCII characters without blanks")
    return key


IdempotencyKey = Annotated[
    Annotated[
        str,
        AfterValidator(_check_key),
        WithJsonSchema({"type": "string", "pattern": f"^{_KEY_PATTERN}$"}),
    ]
    | None,
    Header(
        description=(
            "A key of the caller's own choosing: the same request with the same key "
            "is carried out once."
        )
    ),
]
RetryCount = Annotated[
    int,
    Header(
        ge=0,
        alias="x-stainless-retry-count",
        description="Set by the official client when it sends again.",
    ),
]


@dataclass(frozen=True)
class RequestIdentity:
    """How a creation came: with a key, for the how-manieth time, and when."""

    key: str | None = None
    retry_count: int = 0
    arrived_at: float = field(default_factory=time.monotonic)

    @property
    def is_resent(self) -> bool:
        return self.retry_count > 0


async def _read_request_identity(
    idempotency_key: IdempotencyKey = None, retry_count: RetryCount = 0
) -> RequestIdentity:
    # not a plain function: it would wait for a thread, and with it the note of when the request
    # came
    return RequestIdentity(idempotency_key, retry_count)


RequestIdentityDep = Annotated[RequestIdentity, Depends(_read_request_identity)]
