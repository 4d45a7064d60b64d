"""Expiry of files, lists without profiles, and tables in memory."""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.dependencies import MAX_CONCURRENT_TABLES, AppServices
from shared.db.files import list_expired_files
from shared.db.session import Database
from shared.db.tables import File
from tests.make import review_csv

FILES = "/v1/files"
JOBS = "/v1/fine_tuning/jobs"


def upload(http: TestClient, **fields: str) -> str:
    response = http.post(FILES, files={"file": ("a.csv", review_csv(40))}, data=fields)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


def make_expire(database: Database, *file_ids: str) -> None:
    with database.write() as session:
        session.execute(
            update(File).where(File.id.in_(file_ids)).values(expires_at=File.created_at - 1)
        )


def list_expired_ids(database: Database) -> list[str]:
    with database.read() as session:
        return [file.id for file in list_expired_files(session, 100)]


def test_a_file_expires_after_the_requested_time(http: TestClient) -> None:
    fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    file = http.get(f"{FILES}/{upload(http, **fields)}").json()
    assert file["expires_at"] == file["created_at"] + 3600
    assert http.get(f"{FILES}/{upload(http)}").json()["expires_at"] is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"expires_after[seconds]": "3600"}, "expires_after[anchor]"),
        ({"expires_after[anchor]": "created_at"}, "expires_after[seconds]"),
        (
            {"expires_after[anchor]": "upload", "expires_after[seconds]": "3600"},
            "expires_after[anchor]",
        ),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"},
            "expires_after[seconds]",
        ),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "2592001"},
            "expires_after[seconds]",
        ),
    ],
    ids=str,
)
def test_an_invalid_expiry_is_refused(http: TestClient, fields: dict[str, str], param: str) -> None:
    response = http.post(FILES, files={"file": ("a.csv", review_csv(20))}, data=fields)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_an_expired_file_is_not_found(http: TestClient, database: Database) -> None:
    gone = upload(http)
    make_expire(database, gone)
    for path in ("", "/content", "/validation"):
        assert http.get(f"{FILES}/{gone}{path}").status_code == 404
    assert http.delete(f"{FILES}/{gone}").status_code == 404
    assert http.post(JOBS, json={"training_file": gone, "model": "tiny-bert"}).status_code == 404
    assert gone not in [file["id"] for file in http.get(FILES).json()["data"]]
    assert gone in list_expired_ids(database)


def test_an_expired_file_stays_while_a_job_needs_it(http: TestClient, database: Database) -> None:
    needed, unneeded, living = upload(http), upload(http), upload(http)
    job = http.post(JOBS, json={"training_file": needed, "model": "tiny-bert"})
    assert job.status_code == 200
    make_expire(database, needed, unneeded)
    found = list_expired_ids(database)
    assert unneeded in found
    assert not {needed, living} & set(found)


def test_lists_have_no_profiles(http: TestClient) -> None:
    file_id = upload(http)
    assert http.get(f"{FILES}/{file_id}").json()["profile"]["rows"] == 40
    listed = http.get(FILES, params={"limit": 1}).json()["data"][0]
    assert (listed["id"], listed["profile"]) == (file_id, None)


def test_a_file_that_cannot_be_read_with_the_task_is_refused(http: TestClient) -> None:
    one_line = http.post(FILES, files={"file": ("one.csv", b"good film,1\r\n")}).json()["id"]
    task = {"header": True}  # leaves no data row
    for response in (
        http.post(f"{FILES}/{one_line}/validate", json={"task": task}),
        http.post(JOBS, json={"training_file": one_line, "model": "tiny-bert", "task": task}),
    ):
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (
            400,
            "invalid_value",
            "task.header",
        )
    job = {"training_file": upload(http), "validation_file": one_line, "model": "tiny-bert"}
    error = http.post(JOBS, json=job).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_value", "validation_file")


def test_the_number_of_tables_in_memory_is_bounded(http: TestClient) -> None:
    assert isinstance(http.app, FastAPI)
    services: AppServices = http.app.state.services
    with ThreadPoolExecutor(MAX_CONCURRENT_TABLES + 1) as pool:
        busy = [
            pool.submit(services.readers.run, time.sleep, 2.0) for _ in range(MAX_CONCURRENT_TABLES)
        ]
        time.sleep(0.5)  # until both processes have taken their tasks
        waiting = pool.submit(upload, http)
        assert not wait([waiting], timeout=0.5).done
        assert http.get(FILES, params={"limit": 1}).status_code == 200
        wait(busy)
        assert waiting.result().startswith("file-")
