"""The guard in front of the routes: it stops unauthorized, oversized and malformed requests."""

from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import to_error_body
from api.middleware.access import check_access
from api.middleware.body_limits import (
    LimitedBody,
    build_too_large_error,
    check_content_length,
    get_body_limit,
)
from api.middleware.strict_json import check_json, has_json_body
from shared.domain.errors import InvalidRequest, PayloadTooLarge, ServiceError
from shared.infra.settings import Settings


class RequestGuard:
    """Middleware that checks access, URL, body size and JSON before a body is parsed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = get_body_limit(scope["method"], scope["path"], self._settings)
        try:
            check_access(scope["path"], headers, self._settings)
            _check_url(scope)
            check_content_length(headers, limit)
        except ServiceError as error:
            await _send_error(error, send)
            return
        body = LimitedBody(receive, limit)
        if has_json_body(scope["method"], headers):
            await self._forward_json(scope, body, send)
        else:
            await self._forward_limited(scope, body, send)

    async def _forward_json(self, scope: Scope, body: LimitedBody, send: Send) -> None:
        try:
            content = await body.read_all()
            check_json(content)
        except ServiceError as error:
            await _send_error(error, send)
            return
        replayed = False

        async def replay_body() -> Message:
            nonlocal replayed
            if replayed:
                return await body.receive()
            replayed = True
            return {"type": "http.request", "body": content, "more_body": False}

        await self._app(scope, replay_body, send)

    async def _forward_limited(self, scope: Scope, body: LimitedBody, send: Send) -> None:
        started = False

        async def send_unless_too_large(message: Message) -> None:
            nonlocal started
            if not body.exceeded or started:
                started = True
                await send(message)

        try:
            await self._app(scope, body.receive, send_unless_too_large)
        except PayloadTooLarge:
            if started:
                raise
        if body.exceeded and not started:
            await _send_error(build_too_large_error(body.limit), send)


def _check_url(scope: Scope) -> None:
    if "\0" in scope["path"] or b"\0" in unquote_to_bytes(scope["query_string"]):
        raise InvalidRequest("The URL of the request contains a NUL character; remove it.")


async def _send_error(error: ServiceError, send: Send) -> None:
    """Send the error and close the connection, so that the rest of the body is not read."""
    body = to_error_body(error)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **error.headers,
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
