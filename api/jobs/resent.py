"""The headers by which a request that is sent again is known."""

import re
from typing import Annotated

from fastapi import Header
from pydantic import AfterValidator, WithJsonSchema

_KEY = "[!-~]{1,255}"


def _plain(key: str) -> str:
    if re.fullmatch(_KEY, key) is None:
        raise ValueError("the key must be 1 to 255 visible ASCII characters without blanks")
    return key


IdempotencyKey = Annotated[
    Annotated[str, AfterValidator(_plain), WithJsonSchema({"type": "string", "pattern": f"^{_KEY}$"})] | None,
    Header(description="A key of the caller's own choosing: the same request with the same key is carried out once."),
]
RetryCount = Annotated[
    int, Header(ge=0, alias="x-stainless-retry-count", description="Set by the official client when it sends again.")
]
