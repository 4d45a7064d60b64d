"""Every operation of the OpenAPI document with every kind of key."""

import re
from itertools import count
from typing import NamedTuple

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api.app import create_app
from shared.db.session import Database
from shared.db.tables import File, Job, Model, Run, Upload
from shared.domain.api_keys import Scope
from shared.infra.settings import Settings
from tests.security.conftest import Keys, authorize
from tests.security.operation_table import ROWS, Build, Things, make_missing_things


class Operation(NamedTuple):
    name: str
    method: str
    path: str


OPERATIONS = [
    Operation(operation["operationId"], method.upper(), path)
    for path, methods in create_app(Settings(api_key=None)).openapi()["paths"].items()
    for method, operation in methods.items()
]
_addresses = count(1)


def request_operation(
    http: TestClient, operation: Operation, build: Build, things: Things, key: str | None
) -> Response:
    call = build(things)
    path = operation.path.format_map(vars(things))
    return http.request(
        operation.method,
        path,
        json=call.json,
        params=call.params,
        files=call.files,
        headers={} if key is None else authorize(key),
    )


@pytest.fixture
def stranger(http: TestClient) -> TestClient:
    """A client at an address of its own, so that its wrong keys hold up nobody else."""
    address = f"10.0.{next(_addresses) // 250}.{next(_addresses) % 250 + 1}"
    return TestClient(http.app, raise_server_exceptions=False, client=(address, 5000))


def test_every_operation_has_a_row() -> None:
    assert {operation.name for operation in OPERATIONS} == set(ROWS)
    assert len(OPERATIONS) == len(ROWS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
class TestOperation:
    def test_a_request_without_a_usable_key_is_refused(
        self, stranger: TestClient, keys: Keys, things: Things, operation: Operation
    ) -> None:
        row = ROWS[operation.name]
        for key in (None, keys.wrong, "", keys.owner[:-1], keys.revoked, keys.expired):
            response = request_operation(stranger, operation, row.calls[0], things, key)
            if row.scope is None:
                assert response.status_code == 200
                continue
            assert response.status_code == 401, (key, response.text)
            assert response.json()["error"]["code"] == "not_authenticated"
            assert response.headers["www-authenticate"] == "Bearer"
            for id_text in (things.file_id, things.job_id, keys.owner):
                assert id_text not in response.text

    def test_a_key_that_may_only_read_changes_nothing(
        self, http: TestClient, keys: Keys, things: Things, operation: Operation
    ) -> None:
        row = ROWS[operation.name]
        response = request_operation(http, operation, row.calls[0], things, keys.reader)
        if row.scope is Scope.SUBMIT:
            assert response.status_code == 403, response.text
            assert response.json()["error"]["code"] == "missing_scope"
            assert "x-ratelimit-remaining-requests" in response.headers
        else:
            assert response.status_code not in (401, 403, 429, 500), response.text

    def test_things_of_another_owner_do_not_exist(
        self, http: TestClient, keys: Keys, things: Things, operation: Operation
    ) -> None:
        row = ROWS[operation.name]
        if row.is_shared:
            return
        for build in row.calls:
            missing_things = make_missing_things()
            foreign = request_operation(http, operation, build, things, keys.other)
            missing = request_operation(http, operation, build, missing_things, keys.other)
            assert foreign.status_code == missing.status_code, foreign.text
            assert things.replace_in(foreign.text) == missing_things.replace_in(missing.text)
            shown = set(foreign.headers) ^ set(missing.headers)
            assert not shown - {"x-request-id"}
            if operation.name.startswith("list_"):
                continue
            assert foreign.status_code in (400, 404), foreign.text

    def test_the_owner_finds_them(
        self, http: TestClient, keys: Keys, things: Things, operation: Operation
    ) -> None:
        """So the test above compares with things that exist."""
        row = ROWS[operation.name]
        if operation.method != "GET" or row.is_shared or "{" not in operation.path:
            return
        response = request_operation(http, operation, row.calls[0], things, keys.owner)
        assert response.status_code == 200 or operation.name == "retrieve_recipe", response.text


def test_nothing_of_the_owner_has_changed(
    http: TestClient, keys: Keys, things: Things, database: Database
) -> None:
    """After all operations that other owners, readers and strangers have tried above."""
    with database.read() as session:
        assert session.get(File, things.file_id) is not None
        assert session.get_one(Job, things.job_id).status == "succeeded"
        assert session.get_one(Run, things.run_id).status == "succeeded"
        assert session.get_one(Upload, things.upload_id).status == "pending"
        assert session.get(Model, things.model) is not None
        assert session.query(Job).filter_by(owner_id="local").count() == 2


def test_lists_of_another_owner_are_empty(http: TestClient, keys: Keys, things: Things) -> None:
    paths = ("/v1/files", "/v1/fine_tuning/jobs", "/v1/fine_tuning/comparisons", "/v1/models")
    texts = [http.get(path, headers=authorize(keys.other)).text for path in paths]
    texts.append(http.get("/v1/usage", headers=authorize(keys.other)).text)
    texts.append(http.get("/v1/queue", headers=authorize(keys.other)).text)
    for text in texts:
        assert not re.search(re.escape(things.job_id), text)
        for value in vars(things).values():
            assert value == things.name or value not in text
    own = http.get("/v1/files", headers=authorize(keys.owner)).text
    assert things.file_id in own
