"""The page that a request asks for: who sees it, the forms' token, and how it is rendered."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.responses import Response

from api.access.control import AccessControl
from api.access.sessions import read_cookies
from api.dependencies import AppServices, ServicesDep
from api.etag import compute_etag, is_not_modified
from api.middleware.body_limits import MAX_FIELD_BYTES, MAX_FORM_FIELDS, MAX_FORM_FILES
from api.operations.queue import read_queue
from api.pages.csrf import VISITOR_COOKIE, check_token, compute_token, find_visitor, make_visitor
from api.pages.rendering import PAGE_HEADERS, render_template
from api.pages.screens import NavigationEntry, has_screen, list_navigation
from shared.domain.api_keys import NO_CALLER, Scope
from shared.domain.errors import InvalidRequest, InvalidValue, NotAuthenticated
from shared.domain.wording import choose_verb, format_count

SEE_OTHER: Final = 303
ONCE_INTERVAL_S: Final = 20.0


@dataclass(frozen=True)
class Page:
    """A page for the request's caller. Templates see it as ``page``."""

    request: Request
    services: AppServices

    def render(
        self,
        template: str,
        values: Mapping[str, object] | None = None,
        *,
        status: int = 200,
        **more: object,
    ) -> Response:
        """Render a template for a whole page, with the given variables.

        Its ETag lets the script of an open page ask whether anything has changed.
        """
        body = render_template(template, {"page": self, **(values or {}), **more}).encode()
        etag = compute_etag(body)
        is_known = is_not_modified(etag, self.request.headers.get("if-none-match"))
        if status == 200 and is_known:
            return Response(status_code=304, headers=PAGE_HEADERS | {"etag": etag})
        response = HTMLResponse(body, status, headers=PAGE_HEADERS | {"etag": etag})
        self._add_visitor(response)
        return response

    def redirect(self, path: str) -> Response:
        """Send the browser to another page, for example after a form."""
        return RedirectResponse(path, SEE_OTHER, headers=PAGE_HEADERS)

    @property
    def path(self) -> str:
        return self.request.url.path

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def is_known(self) -> bool:
        """Whether the caller may read anything: keys are off, or the browser has signed in."""
        return self.services.caller != NO_CALLER

    @property
    def has_session(self) -> bool:
        """Whether the browser has signed in, so that it can sign out."""
        return self.is_known and self.access.sessions.find(self.request.headers) is not None

    @property
    def can_change(self) -> bool:
        """Whether the caller may do more than read: pages show no buttons to others."""
        return self.is_known and self.services.caller.scope.allows(Scope.SUBMIT)

    @property
    def navigation(self) -> list[NavigationEntry]:
        return list(list_navigation()) if self.is_known else []

    def make_once(self, purpose: str) -> str:
        """Return an idempotency key for a form, by which a double click is recognized.

        It stays the same for some seconds, so that a page without news has the same ETag.
        """
        moment = int(time.time() // ONCE_INTERVAL_S)
        signed = f"{self._visitor} {self.services.owner_id} {purpose} {moment}"
        return self.services.secret_box.sign("form once", signed)[:32]

    def has_screen(self, path: str) -> bool:
        return has_screen(path)

    @property
    def queue_line(self) -> str:
        """What trains and what waits, in a line for the head of the page."""
        queue = read_queue(self.services, with_messages=False)
        if queue.workers is None:
            return f"{format_count(len(queue.running), 'run')} training, {queue.depth} waiting"
        if not queue.workers:
            return f"No worker is connected, {queue.depth} waiting"
        slots = sum(worker.slots for worker in queue.workers)
        busy = sum(worker.busy for worker in queue.workers)
        waiting = queue.total_depth or 0
        verb = choose_verb(waiting, "run waits", "runs wait")
        return f"{busy} of {format_count(slots, 'slot')} busy, {waiting} {verb}"

    @property
    def access(self) -> AccessControl:
        access: AccessControl = self.request.app.state.access
        return access

    @cached_property
    def csrf_token(self) -> str:
        session = read_cookies(self.request.headers).get(self.access.sessions.cookie_name, "")
        return compute_token(self.services.secret_box, self._visitor, session)

    @cached_property
    def _visitor(self) -> str:
        return find_visitor(self.request.headers) or make_visitor()

    def _add_visitor(self, response: Response) -> None:
        """Give the browser a random cookie, if a form on the page has been signed with it."""
        if "csrf_token" in vars(self) and find_visitor(self.request.headers) is None:
            self.set_cookie(response, VISITOR_COOKIE, self._visitor)

    def set_cookie(
        self, response: Response, name: str, value: str, *, max_age: int | None = None
    ) -> None:
        """Set a cookie that scripts cannot read and other sites cannot send."""
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            httponly=True,
            samesite="strict",
            secure=self.request.url.scheme == "https",
        )


async def get_public_page(request: Request, services: ServicesDep) -> Page:
    """Return the page for anybody."""
    return Page(request, services)


async def get_page(request: Request, services: ServicesDep) -> Page:
    """Return the page. Raises NotAuthenticated unless the caller is known."""
    if services.caller == NO_CALLER:
        raise NotAuthenticated("Sign in with an API key to see this page.")
    return Page(request, services)


PublicPageDep = Annotated[Page, Depends(get_public_page)]
PageDep = Annotated[Page, Depends(get_page)]


async def read_form(page: PublicPageDep) -> AsyncIterator[FormData]:
    """Provide the request's form. Raises CrossSiteRequest for one without the page's token, and
    InvalidRequest for an encoding that no browser uses, whose texts may not be valid.
    """
    _, options = parse_options_header(page.request.headers.get("content-type", ""))
    if options.get(b"charset", b"utf-8").lower() != b"utf-8":
        raise InvalidRequest("A form must be encoded as UTF-8.")
    async with page.request.form(
        max_files=MAX_FORM_FILES, max_fields=MAX_FORM_FIELDS, max_part_size=MAX_FIELD_BYTES
    ) as form:
        check_token(form, page.csrf_token)
        yield form


FormDep = Annotated[FormData, Depends(read_form)]
"""The form of a request that changes something. Every route for one depends on it."""


def get_text(form: FormData, name: str) -> str:
    """Return a text field; empty if the form has none."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def get_number(form: FormData, name: str, *, lowest: int, highest: int) -> int:
    """Return a whole number. Raises InvalidValue."""
    text = get_text(form, name)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
    if number is None or not lowest <= number <= highest:
        raise InvalidValue(f"{name} must be a whole number from {lowest} to {highest}.", param=name)
    return number
