"""Errors as pages: a middleware that turns error objects into words, for browsers only."""

import json
from dataclasses import replace
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.control import PROTECTED_PREFIX
from api.access.page_paths import is_page_path
from api.dependencies import AppServices
from api.media_types import prefers_html
from api.pages.page import Page
from api.pages.rendering import PAGE_HEADERS, render_template
from shared.domain.api_keys import NO_CALLER

TITLES: Final = {
    401: "Sign in",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    409: "Not possible now",
    413: "Too large",
    421: "Unknown name",
    429: "Too many requests",
    503: "Not available now",
    507: "No room left",
}
_KEPT_HEADERS: Final = ("retry-after", "allow", "www-authenticate", "x-request-id")
_KEPT_HEADERS_OF_LIMITS: Final = "x-ratelimit-"


class ErrorPages:
    """Middleware that answers a browser's failed request with a page instead of JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_for_people(scope):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def send_page(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_error(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    response = _render_response(Request(scope), start, bytes(body))
                    await response(scope, receive, send)

        await self._app(scope, receive, send_page)


def install_page_of_unexpected_errors(app: FastAPI) -> None:
    """Answer an unexpected error with a page too: its handler runs outside of all middleware."""
    answer_json = app.exception_handlers[Exception]

    def handle(request: Request, error: Exception) -> Response:
        response = answer_json(request, error)
        assert isinstance(response, Response)
        if not _is_for_people(request.scope):
            return response
        start = {"status": response.status_code, "headers": response.raw_headers}
        return _render_response(request, start, bytes(response.body))

    app.add_exception_handler(Exception, handle)


def _is_for_people(scope: Scope) -> bool:
    accept = Headers(scope=scope).get("accept", "")
    return not scope["path"].startswith(PROTECTED_PREFIX) and prefers_html(accept)


def _is_error(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    is_json = headers.get("content-type", "").startswith("application/json")
    return bool(message["status"] >= 400 and is_json)


def _render_response(request: Request, start: Message, body: bytes) -> Response:
    status, error = start["status"], json.loads(body)["error"]
    services = request.app.state.services
    if not hasattr(request.state, "caller"):  # the guard has refused the request
        request.state.caller = NO_CALLER
    page = Page(request, _for_caller(services, request))
    if status == 401 and request.method in ("GET", "HEAD"):
        return _add_headers(_render_sign_in(page), start)
    values = {
        "page": page,
        "title": TITLES.get(status, "Something went wrong"),
        "status": status,
        "error": error,
        "back": _find_page_before(page.path),
    }
    html = render_template("layout/error.html.j2", values)
    return _add_headers(HTMLResponse(html, status, headers=PAGE_HEADERS), start)


def _render_sign_in(page: Page) -> Response:
    if page.request.headers.get("sec-fetch-site") == "cross-site":
        # the browser keeps the session's cookie back when a link on another site was followed, and
        # sends it when this page opens the same address again
        values: dict[str, object] = {"page": page}
        return HTMLResponse(render_template("sign_in/reopen.html.j2", values), 200, PAGE_HEADERS)
    query = f"?{page.request.url.query}" if page.request.url.query else ""
    return page.render("sign_in/sign_in.html.j2", status=401, next=page.path + query, error=None)


def _for_caller(services: AppServices, request: Request) -> AppServices:
    return replace(services, caller=request.state.caller)


def _find_page_before(path: str) -> str:
    """Return the path of the page that an action belongs to, or of a part of another page."""
    before = path.rpartition("/")[0]
    return before if is_page_path(before) and before else "/jobs"


def _add_headers(response: Response, start: Message) -> Response:
    """Keep the headers of the JSON answer that matter to the browser or its owner."""
    for name, value in Headers(raw=start["headers"]).items():
        if name in _KEPT_HEADERS or name.startswith(_KEPT_HEADERS_OF_LIMITS):
            response.headers[name] = value
    return response
