"""Fixtures: the real application in the test process, with a database and no worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.db.session import Database
from shared.infra.settings import Settings
from tests.api_settings import provide_settings
from tests.conftest import new_database
from tests.make import review_csv


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("api")
    url = new_database(request, request.param, home)
    limits = {"max_upload_bytes": 300_000, "max_request_bytes": 100_000}
    with provide_settings(home, model_dir, url, **limits) as provided:
        yield provided


@pytest.fixture(scope="module")
def http(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def file_id(http: TestClient) -> str:
    answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))})
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    """The application's database."""
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()
