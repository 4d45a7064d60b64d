"""A storage that is away and a disk that is full are answered with their causes."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.dependencies import AppServices
from shared.infra import storage_probe
from tests.api.job_requests import JOBS, create_job
from tests.api_settings import provide_settings
from tests.make import review_csv


@pytest.fixture
def http(tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A service of its own, whose storage a test may take away."""
    monkeypatch.setattr(storage_probe, "PROBE_INTERVAL_S", 0.0)
    with (
        provide_settings(tmp_path, model_dir) as settings,
        TestClient(create_app(settings), raise_server_exceptions=False) as client,
    ):
        yield client


def get_services(http: TestClient) -> AppServices:
    services: AppServices = http.app.state.services  # type: ignore[attr-defined]
    return services


def upload(http: TestClient, rows: int = 40) -> Any:
    return http.post("/v1/files", files={"file": ("reviews.csv", review_csv(rows))})


def get_error(answer: Any) -> tuple[int, str, str]:
    assert int(answer.headers["retry-after"]) > 0
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_a_storage_that_is_away_is_named_everywhere(http: TestClient, tmp_path: Path) -> None:
    file_id = upload(http).json()["id"]
    (tmp_path / "storage").rename(tmp_path / "away")
    cache = get_services(http).settings.resolved_cache_dir
    away = (
        503,
        "service_unavailable",
        "The folder of the storage, storage, is not there. Retry shortly.",
    )
    request = {"model": "tiny-bert", "training_file": file_id}
    assert get_error(upload(http, 41)) == away
    assert get_error(http.post(JOBS, json=request)) == away
    assert get_error(http.get(f"/v1/files/{file_id}/content")) == away
    assert get_error(http.get("/ready")) == away
    assert http.get("/health").status_code == 200
    assert http.get(f"/v1/files/{file_id}").status_code == 200
    assert not (tmp_path / "storage").exists()
    assert not [path for path in (cache / "files").glob("*") if path.is_file()]

    (tmp_path / "away").rename(tmp_path / "storage")
    assert http.get("/ready").status_code == 200
    assert upload(http, 41).status_code == 200
    assert http.post(JOBS, json=request).status_code == 200
    assert http.get(f"/v1/files/{file_id}/content").content == review_csv(40)


FULL = (
    507,
    "disk_full",
    "The disk of the service is full. Delete files, models or jobs, or ask its operator.",
)


def test_a_full_disk_refuses_an_upload(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("tempfile.mkdtemp", refuse)
        assert get_error(upload(http)) == FULL
    with monkeypatch.context() as patched:
        patched.setattr("shared.infra.storage.obstore.put", refuse)
        assert get_error(upload(http)) == FULL
    assert http.get("/v1/files").json()["data"] == []
    monkeypatch.setattr(storage_probe, "MIN_FREE_BYTES", 1 << 62)
    status, _, message = get_error(http.get("/ready"))
    assert (status, "disk" in message) == (507, True)


def test_deletion_works_although_the_database_has_no_room(http: TestClient) -> None:
    file_id = upload(http).json()["id"]
    job_id = create_job(http, file_id)["id"]
    services = get_services(http)
    reserve = Path(f"{services.database.engine.url.database}.reserve")
    assert reserve.stat().st_blocks * 512 >= reserve.stat().st_size > 0

    def refuse_while_reserved(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if reserve.exists() and statement.startswith(("INSERT", "UPDATE", "DELETE")):
            full = sqlite3.OperationalError("database or disk is full")
            raise OperationalError(statement, {}, full)

    event.listen(services.database.engine, "before_cursor_execute", refuse_while_reserved)
    assert get_error(upload(http, 41)) == FULL
    for path in (f"{JOBS}/{job_id}", f"/v1/files/{file_id}"):
        if "jobs" in path:
            assert http.post(f"{path}/cancel").json()["status"] == "cancelled"
        assert http.delete(path).status_code == 200
        assert reserve.exists()  # taken again
        assert http.get(path).status_code == 404
    assert get_error(upload(http, 41)) == FULL
