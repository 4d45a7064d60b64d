"""Fixtures: the application with keys of two owners, and things of one of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from shared.db.api_keys import ApiKeys
from shared.db.session import Database
from shared.db.tables import ApiKey, Model, Run
from shared.domain.api_keys import Scope
from shared.infra.settings import Settings
from tests.api.scored_jobs import HIGH, LOW, add_job
from tests.api_settings import provide_settings
from tests.conftest import new_database
from tests.make import review_csv
from tests.pages.trained_jobs import add_curves
from tests.security.operation_table import Things

ADMIN_KEY = "the-key-of-the-administrator"


@dataclass(frozen=True)
class Keys:
    """Keys of the owner of the things (``local``), and of another one."""

    owner: str
    reader: str
    other: str
    revoked: str
    expired: str
    wrong: str = f"ek_0000ff_{'0' * 64}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("security")
    url = new_database(request, request.param, home)
    with provide_settings(home, model_dir, url, api_key=SecretStr(ADMIN_KEY)) as provided:
        yield provided


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


def create_key(
    database: Database, name: str, owner: str | None = None, scope: Scope = Scope.SUBMIT
) -> str:
    with database.write() as session:
        return ApiKeys(session).create_key(name, scope, owner_id=owner, lifetime_seconds=None).key


@pytest.fixture(scope="module")
def keys(database: Database) -> Keys:
    found = Keys(
        owner=create_key(database, "owner", "local"),
        reader=create_key(database, "reader", "local", Scope.READ),
        other=create_key(database, "other"),
        revoked=create_key(database, "revoked", "local"),
        expired=create_key(database, "expired", "local"),
    )
    with database.write() as session:
        ApiKeys(session).revoke_key("revoked")
        expired = session.query(ApiKey).filter_by(name="expired").one()
        expired.expires_at = expired.created_at - 1.0
    return found


@pytest.fixture(scope="module")
def http(settings: Settings, keys: Keys) -> Iterator[TestClient]:
    """A client without a key, whose application has all keys."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def authorize(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def things(http: TestClient, keys: Keys, database: Database) -> Things:
    """Things of the owner ``local``."""
    headers = authorize(keys.owner)
    file = http.post("/v1/files", files={"file": ("a.csv", review_csv(40))}, headers=headers)
    announced = {"filename": "b.csv", "purpose": "fine-tune", "bytes": 5, "mime_type": "text/csv"}
    upload = http.post("/v1/uploads", json=announced, headers=headers)
    job_id = add_job(database, HIGH, model="tiny-bert", training_file=file.json()["id"])
    add_curves(database, job_id)
    other_job_id = add_job(database, LOW, model="tiny-bert")
    comparison = http.post(
        "/v1/fine_tuning/comparisons", json={"job_ids": [job_id, other_job_id]}, headers=headers
    )
    with database.write() as session:
        run = session.query(Run).filter_by(job_id=job_id, index=0).one()
        model = f"ft:tiny-bert:local::{job_id[-8:]}"
        session.add(
            Model(
                id=model,
                owner_id="local",
                job_id=job_id,
                run_id=run.id,
                base_model="tiny-bert",
                prefix="models/none",
                labels=["a", "b"],
            )
        )
        return Things(
            file.json()["id"],
            job_id,
            other_job_id,
            run.id,
            upload.json()["id"],
            comparison.json()["id"],
            model,
        )
