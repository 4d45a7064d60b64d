"""The headers by which a request that is sent again is known."""

import re
from typing import Annotated

from fastapi import Header
from pydantic import AfterValidator


def _plain(key: str) -> str:
    if re.fullmatch(r"[\x21-\x7e]{1,255}", key) is None:
        raise ValueError("the key must be 1 to 255 visible ASCII characters without blanks")
    return key


IdempotencyKey = Annotated[str | None, AfterValidator(_plain), Header()]
RetryCount = Annotated[
    int, Header(ge=0, alias="x-stainless-retry-count", description="Set by the official client when it sends again.")
]
