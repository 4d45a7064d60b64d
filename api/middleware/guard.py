"""The guard in front of the routes: it stops unauthorized, oversized and malformed requests."""

from collections.abc import Mapping
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.control import AccessControl
from api.errors import to_error_body
from api.middleware.body_limits import (
    MAX_BYTES_IN_MEMORY,
    LimitedBody,
    build_too_large_error,
    check_content_length,
    get_body_limit,
    is_upload,
)
from api.middleware.body_turns import keep_body_turn, make_large_body_turns, make_upload_turns
from api.middleware.pacing import RequestPacer
from api.middleware.routing import ServedPaths
from api.middleware.strict_json import check_json, is_json
from shared.domain.api_keys import Caller
from shared.domain.errors import InvalidRequest, PayloadTooLarge, ServiceError
from shared.infra.settings import Settings

MAX_QUERY_PARAMETERS: Final = 100
HEALTH_PATH: Final = "/health"
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1


class _Refused(Exception):
    """A request that the guard answers itself."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.message)
        self.error = error


class RequestGuard:
    """Middleware that checks access, URL, body size and JSON before a body is parsed."""

    def __init__(self, app: ASGIApp, settings: Settings, access: AccessControl) -> None:
        self._app = app
        self._settings = settings
        self._access = access
        self._paths = ServedPaths()
        self._pacer = RequestPacer()
        self._uploads = make_upload_turns()
        self._large_bodies = make_large_body_turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets, whose requests no check would see
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        if scope["path"] != HEALTH_PATH:
            await self._pacer.take_turn()
        headers = Headers(scope=scope)
        limit = get_body_limit(scope["method"], scope["path"], self._settings)
        try:
            admission = await self._access.admit(scope, headers)
            send = _add_headers(send, admission.headers)
            _check_url(scope)
            check_content_length(headers, limit)
        except ServiceError as error:
            await _send_error(error, send)
            return
        scope.setdefault("state", {})["caller"] = admission.caller
        body = LimitedBody(receive, limit)
        try:
            if is_upload(scope["method"], scope["path"]):
                await self._forward_upload(scope, body, send)
            elif scope["method"] in _METHODS_WITH_BODY and self._paths.is_served(scope):
                await self._forward_whole(scope, body, send)
            else:  # nobody reads the body
                await self._forward_limited(scope, body, send)
        except _Refused as refused:
            await _send_error(refused.error, send)

    async def _forward_whole(self, scope: Scope, body: LimitedBody, send: Send) -> None:
        """Forward a request once its body has come, and is strict JSON if it is JSON."""
        with ExitStack() as stack:
            try:
                file = stack.enter_context(SpooledTemporaryFile(MAX_BYTES_IN_MEMORY))
                await body.receive_into(file)
                if body.is_large:  # parsed, it takes several times as much memory
                    turn = await self._large_bodies.take(_get_owner(scope))
                    keep_body_turn(stack.enter_context(turn))
                content = file.read()
                file.close()
                if is_json(Headers(scope=scope)):
                    check_json(content)
            except ServiceError as error:
                raise _Refused(error) from None
            await self._app(scope, _replay_body(content, body), send)

    async def _forward_upload(self, scope: Scope, body: LimitedBody, send: Send) -> None:
        try:
            turn = await self._uploads.take(_get_owner(scope))
        except ServiceError as error:
            raise _Refused(error) from None
        with turn:
            body.on_end = turn.release
            await self._forward_limited(scope, body, send)

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


def _get_owner(scope: Scope) -> str:
    caller: Caller = scope["state"]["caller"]
    return caller.owner_id


def _replay_body(content: bytes, body: LimitedBody) -> Receive:
    """Return a function that gives the content, and then what follows it."""
    replayed = False

    async def receive() -> Message:
        nonlocal replayed
        if replayed:
            return await body.receive()
        replayed = True
        return {"type": "http.request", "body": content, "more_body": False}

    return receive


def _check_url(scope: Scope) -> None:
    if scope["query_string"].count(b"&") >= MAX_QUERY_PARAMETERS:
        raise InvalidRequest(f"The URL has more than {MAX_QUERY_PARAMETERS} query parameters.")
    if "\0" in scope["path"] or b"\0" in unquote_to_bytes(scope["query_string"]):
        raise InvalidRequest("The URL of the request contains a NUL character; remove it.")


def _add_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if headers and message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with_headers


async def _send_error(error: ServiceError, send: Send) -> None:
    """Send the error and close the connection, so that the rest of the body is not read."""
    body = to_error_body(error)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **error.response_headers,
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
