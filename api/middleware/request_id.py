"""Request ids: every response names the request in ``x-request-id``."""

import random

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_REQUEST_ID_LENGTH = 64

# ids need not be unguessable, and the system's generator would cost a system call per request
_request_id_random = random.Random()


class RequestIdMiddleware:
    """Middleware that adds ``x-request-id``: the caller's if it is a short word, else a new ID."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _is_plain_word(given) else _create_request_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


def _is_plain_word(text: str) -> bool:
    letters = text.replace("-", "").replace("_", "")
    return len(text) <= MAX_REQUEST_ID_LENGTH and letters.isascii() and letters.isalnum()


def _create_request_id() -> str:
    return f"req_{_request_id_random.getrandbits(96):024x}"
