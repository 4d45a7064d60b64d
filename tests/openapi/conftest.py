"""Fixtures: the application in the test process, over what a worker has left behind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.jobs.presenting import event_stream
from shared.db.api_keys import ApiKeys
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.domain.api_keys import Scope
from shared.infra.settings import Settings
from tests.conftest import new_database
from tests.make import review_csv
from tests.servers import RedisServer, redis_server
from tests.stack import running_stack

RECIPE = {
    "max_steps": 4,
    "learning_rate": 0.005,
    "train_batch_size": 16,
    "reinit_layers": 1,
    "eval_points": 2,
}


KEYS = {
    "owner": ("local", Scope.SUBMIT),
    "reader": ("local", Scope.READ),
    "other": ("other", Scope.SUBMIT),
    "administrator": ("installation", Scope.ADMIN),
}
"""Owner and scope of each key. The known objects are of the owner ``local``."""

Http = httpx.Client | TestClient


@dataclass(frozen=True)
class Service:
    """The application, and the ids of its objects by kind."""

    app: FastAPI
    known: dict[str, list[str]]
    keys: dict[str, str] = field(default_factory=dict)
    """API keys by the names of ``KEYS``; without any, the service requires none."""


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Service]:
    """A service without workers, on SQLite: its jobs stay queued."""
    home = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{home / 'test.db'}"
    apply_migrations(url)
    with redis_server() as redis:
        settings = _build_settings(home, url, redis, model_dir)
        with TestClient(create_app(settings)) as http:
            file_id = _upload_file(http)
            jobs = [_create_job(http, file_id) for _ in range(3)]
            known = _list_known_ids(http, [file_id], jobs)
        yield Service(create_app(settings), known)


@pytest.fixture(scope="module")
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_dir: Path
) -> Iterator[Service]:
    """A service on PostgreSQL with trained models, keys, and a stopped worker, so that new jobs
    stay queued.
    """
    home = tmp_path_factory.mktemp("service")
    with redis_server() as redis:
        url = new_database(request, "postgresql", home)
        with running_stack(home, url, redis, model_dir) as stack:
            file_id = _upload_file(stack.http)
            ensemble = _create_job(
                stack.http, file_id, runs={"num_seeds": 2}, artifacts={"keep": "all_runs"}
            )
            jobs = [stack.wait(job["id"]) for job in (ensemble, _create_job(stack.http, file_id))]
            known = _list_known_ids(stack.http, [file_id, *jobs[0]["result_files"]], jobs)
        keys = _create_keys(url)
        yield Service(create_app(_build_settings(home, url, redis, model_dir)), known, keys)


def _create_keys(url: str) -> dict[str, str]:
    database = Database(url)
    with database.write() as session:
        keys = {
            name: ApiKeys(session)
            .create_key(name, scope, owner_id=owner, lifetime_seconds=None)
            .key
            for name, (owner, scope) in KEYS.items()
        }
    database.dispose()
    return keys


def _build_settings(home: Path, url: str, redis: RedisServer, models: Path) -> Settings:
    return Settings(
        home=home,
        database_url=url,
        redis_url=redis.url,
        model_dirs=str(models),
        allowed_hosts="testserver",
        max_upload_bytes=300_000,
        max_request_bytes=100_000,
    )


def _upload_file(http: Http) -> str:
    return str(http.post("/v1/files", files={"file": ("reviews.csv", review_csv(40))}).json()["id"])


def _create_job(http: Http, file_id: str, **request: Any) -> dict[str, Any]:
    common = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": RECIPE,
        "task": {"max_seq_length": 12},
    }
    response = http.post(
        "/v1/fine_tuning/jobs", json={"runs": {"num_seeds": 1}, **common, **request}
    )
    return dict(response.raise_for_status().json())


def _list_known_ids(
    http: Http, files: list[str], jobs: list[dict[str, Any]]
) -> dict[str, list[str]]:
    ids = [job["id"] for job in jobs]
    spare = _create_job(http, files[0])["id"]
    http.post(f"/v1/fine_tuning/jobs/{spare}/cancel").raise_for_status()
    runs = [http.get(f"/v1/fine_tuning/jobs/{job_id}/runs").json()["data"] for job_id in ids]
    upload = {"bytes": 100, "filename": "part.csv", "mime_type": "text/csv", "purpose": "fine-tune"}
    return {
        "file": files,
        "job": ids,
        "run": [run["id"] for job_runs in runs for run in job_runs],
        "model": [
            "tiny-bert",
            *(job["fine_tuned_model"] for job in jobs if job["fine_tuned_model"]),
        ],
        "comparison": [
            http.post("/v1/fine_tuning/comparisons", json={"job_ids": ids[:2]}).json()["id"]
        ],
        "upload": [http.post("/v1/uploads", json=upload).json()["id"] for _ in range(3)],
        "spare file": [_upload_file(http)],
        "spare job": [spare],
        "spare upload": [http.post("/v1/uploads", json=upload).json()["id"]],
        "spare model": ["tiny-roberta"],
        "recipe": ["stabilized", "conventional"],
        "table": [review_csv(40).decode()],
    }


@pytest.fixture(autouse=True)
def _short_keepalive_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the keep-alive interval: a stream of an idle job is read to its first frame."""
    monkeypatch.setattr(event_stream, "KEEPALIVE_INTERVAL_S", 0.2)
