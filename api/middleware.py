"""ASGI middleware in front of the routes: request id, key, size and strict JSON, each before
the body is parsed.
"""

import json
import random
import re
import secrets
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import to_error_body
from shared.domain.errors import (
    CrossSiteRequest,
    InvalidRequest,
    NotAuthenticated,
    PayloadTooLarge,
    ServiceError,
)
from shared.infra.settings import Settings

UPLOAD_PATH = re.compile(r"/v1/files/?|/v1/uploads/[^/]+/parts/?")
_MULTIPART_OVERHEAD_BYTES = 64 * 1024  # part headers and the small form fields beside the file

_request_id_random = (
    random.Random()
)  # they tell requests apart and keep nobody out; the system's own would cost a call each


class RequestIdMiddleware:
    """Every answer carries ``x-request-id``, the caller's own if it is a plain short word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        plain = (
            0 < len(given) <= 64
            and given.isascii()
            and given.replace("-", "").replace("_", "").isalnum()
        )
        request_id = given if plain else f"req_{_request_id_random.getrandbits(96):024x}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


class RequestGuard:
    """Refuses what must not reach a parser: no key, too many bytes, text that no database
    stores, JSON that is not JSON.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_request_head(scope)
        except ServiceError as error:
            await _send_error(error, send)
            return
        limited = _LimitedBody(receive, self._get_body_limit(scope))
        if _has_json_body(scope):
            await self._forward_json(scope, limited, send)
        else:
            await self._forward_limited(scope, limited, send)

    def _check_request_head(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        key = self._settings.api_key
        if key is not None and scope["path"].startswith("/v1"):
            given = headers.get("authorization", "")
            if not secrets.compare_digest(
                given.encode(), f"Bearer {key.get_secret_value()}".encode()
            ):
                raise NotAuthenticated(
                    "This service needs its API key as 'Authorization: Bearer <key>'."
                )
        elif key is None:
            _check_origin(headers)
        if "\0" in scope["path"] or b"\0" in unquote_to_bytes(scope["query_string"]):
            raise InvalidRequest("The address contains a NUL character.")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._get_body_limit(scope):
            raise _build_too_large_error(self._get_body_limit(scope))

    def _get_body_limit(self, scope: Scope) -> int:
        if scope["method"] == "POST" and UPLOAD_PATH.fullmatch(scope["path"]):
            return self._settings.max_upload_bytes + _MULTIPART_OVERHEAD_BYTES
        return self._settings.max_request_bytes

    async def _forward_json(self, scope: Scope, body: "_LimitedBody", send: Send) -> None:
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

    async def _forward_limited(self, scope: Scope, body: "_LimitedBody", send: Send) -> None:
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
            await _send_error(_build_too_large_error(body.limit), send)


def _check_origin(headers: Headers) -> None:
    """Without a key, being on this machine is what gives access; a page that somebody's browser
    shows must not borrow it.
    """
    origin = headers.get("origin")
    # scheme://host[:port], compared as text: what is no such thing is no origin of ours
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        raise CrossSiteRequest(
            "Pages of other sites may not use this service; set EVENKEEL_API_KEY and send "
            "it instead."
        )


class _LimitedBody:
    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._received_bytes = 0
        self.limit = limit
        self.exceeded = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        if self._received_bytes > self.limit:
            self.exceeded = True
            raise _build_too_large_error(self.limit)
        return message

    async def read_all(self) -> bytes:
        chunks = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest("The connection ended before the body did.")
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(chunks)


def check_json(content: bytes) -> None:
    """Raise InvalidRequest for what Python's parser would let through: NaN, duplicate keys, NUL
    and lone surrogates.
    """
    if not content:
        return
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_build_unique_dict,
            parse_constant=_reject_constant,
        )
        _check_json_value(value)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except ValueError:  # an integer of more digits than Python converts
        raise InvalidRequest("The body holds a number that is out of range.") from None


def _build_unique_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise InvalidRequest("The body names a key twice in one object.")
    return keys


def _reject_constant(name: str) -> Any:
    raise InvalidRequest(f"{name} is not a JSON number.")


def _check_json_value(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidRequest("The body contains a NUL character or half of a surrogate pair.")
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            raise InvalidRequest("The body holds a number that is out of range.")
    elif isinstance(value, dict):
        for key, child in value.items():
            _check_json_value(key)
            _check_json_value(child)
    elif isinstance(value, list):
        for child in value:
            _check_json_value(child)


def _has_json_body(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "").split(";", maxsplit=1)[0].strip().lower()
    return scope["method"] in ("POST", "PUT", "PATCH") and (
        kind == "application/json" or kind.endswith("+json")
    )


def _build_too_large_error(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request is larger than this service takes ({limit:,} bytes).")


async def _send_error(error: ServiceError, send: Send) -> None:
    """Answer at once and close: the rest of the body is not wanted."""
    body = to_error_body(error)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        **error.headers,
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
