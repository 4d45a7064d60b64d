"""Every route of a page with every kind of key."""

import re
import warnings
from collections.abc import Iterator
from html import unescape
from itertools import count

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from api.pages import assets
from api.pages.screens import list_routers
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain.api_keys import Scope
from tests.pages.forms import BROWSER, get_token, sign_in
from tests.pages.rows import PageRow, collect_rows
from tests.security.conftest import Keys
from tests.security.operation_table import Things, make_missing_things

ROWS = collect_rows()
NAMES = sorted(ROWS)
PLACES = {
    "section": "scores",
    "index": "0",
    "theme": "light",
    "measure": "train_loss",
    "digest": "0",
    "name": "page.css",
}
_addresses = count(1)


def list_routes() -> Iterator[str]:
    app = FastAPI()
    for router in (assets.router, *list_routers()):
        app.include_router(router)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GET and HEAD of a route share an operation ID
        paths = app.openapi()["paths"]
    for path, methods in paths.items():
        yield from (f"{method.upper()} {path}" for method in methods)


def request_page(
    http: TestClient, name: str, row: PageRow, things: Things, token: str | None = None
) -> Response:
    method = name.partition(" ")[0]
    form = {field: value.format_map(vars(things)) for field, value in row.form.items()}
    if token is not None:
        form["csrf"] = token
    address = build_address(name, row, things)
    return http.request(method, address, data=form or None, headers=BROWSER, follow_redirects=False)


def build_address(name: str, row: PageRow, things: Things) -> str:
    path = name.partition(" ")[2].format_map(vars(things) | PLACES)
    return f"{path}?{row.query.format_map(vars(things))}" if row.query else path


def visit(http: TestClient, key: str | None = None) -> TestClient:
    """Return a browser of its own, signed in with the key if one is given."""
    number = next(_addresses)
    address = f"10.1.{number // 250}.{number % 250 + 1}"
    browser = TestClient(http.app, raise_server_exceptions=False, client=(address, 5000))
    if key is not None:
        assert sign_in(browser, key).status_code == 303
    return browser


def test_every_route_has_a_row() -> None:
    assert sorted(list_routes()) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestPage:
    def test_without_a_key_nothing_is_shown(
        self, http: TestClient, keys: Keys, things: Things, name: str
    ) -> None:
        row = ROWS[name]
        answer = request_page(visit(http), name, row, things)
        shown = unescape(answer.text).replace(build_address(name, row, things), "")
        for secret in (things.job_id, things.file_id, things.model, keys.owner):
            assert secret not in shown
        if row.scope is not None:
            assert answer.status_code == 401
            assert "Sign in" in answer.text

    def test_a_key_that_may_only_read_changes_nothing(
        self, http: TestClient, keys: Keys, things: Things, name: str
    ) -> None:
        row = ROWS[name]
        if row.scope is None:
            return
        browser = visit(http, keys.reader)
        answer = request_page(browser, name, row, things, get_token(browser))
        is_change = row.scope is not Scope.READ
        assert (answer.status_code == 403) is is_change, answer.text
        assert answer.status_code != 401

    def test_a_form_without_its_token_changes_nothing(
        self, http: TestClient, keys: Keys, things: Things, name: str
    ) -> None:
        if not name.startswith("POST "):
            return
        browser, other = visit(http, keys.owner), visit(http, keys.owner)
        for token in (None, "", "0" * 64, get_token(other)):
            answer = request_page(browser, name, ROWS[name], things, token)
            assert answer.status_code == 403, answer.text
            assert "form" in answer.text

    def test_things_of_another_owner_do_not_exist(
        self, http: TestClient, keys: Keys, things: Things, name: str
    ) -> None:
        row = ROWS[name]
        if row.is_shared:
            return
        browser = visit(http, keys.other)
        token, missing_things = get_token(browser), make_missing_things()
        foreign = request_page(browser, name, row, things, token)
        missing = request_page(browser, name, row, missing_things, token)
        assert foreign.status_code == missing.status_code == 404, foreign.text
        assert things.replace_in(foreign.text) == missing_things.replace_in(missing.text)

    def test_the_owner_finds_them(
        self, http: TestClient, keys: Keys, things: Things, name: str
    ) -> None:
        row = ROWS[name]
        if row.is_shared or not name.startswith("GET "):
            return
        answer = request_page(visit(http, keys.owner), name, row, things)
        assert answer.status_code in (200, 303), answer.text  # a clone leads to its form


def test_nothing_of_the_owner_has_changed(
    http: TestClient, keys: Keys, things: Things, database: Database
) -> None:
    """After all forms that strangers, readers and other owners have sent above."""
    with database.read() as session:
        assert session.get_one(Job, things.job_id).status == "succeeded"
        assert session.get_one(Run, things.run_id).status == "succeeded"
        assert session.query(Job).filter_by(owner_id="local").count() == 2


def test_a_list_of_another_owner_is_empty(http: TestClient, keys: Keys, things: Things) -> None:
    own = visit(http, keys.owner).get("/jobs", headers=BROWSER).text
    other = visit(http, keys.other).get("/jobs", headers=BROWSER).text
    assert things.job_id in own
    assert not re.search(re.escape(things.job_id), other)
