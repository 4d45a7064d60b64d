"""Page parameters of every list of the OpenAPI document: a value that is not one is refused."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.infra.settings import Settings
from tests.api.job_requests import create_job, get_refusal

PATHS: dict[str, dict[str, Any]] = create_app(Settings()).openapi()["paths"]
LISTS = [
    path
    for path, operations in PATHS.items()
    if operations.get("get", {}).get("operationId", "").startswith("list_")
]
PAGED = [
    path
    for path in LISTS
    if any(parameter["name"] == "after" for parameter in PATHS[path]["get"].get("parameters", ()))
]
UNKNOWN_IDS = [
    "nope",
    "",
    "ftjob-nope",
    "file-000000000000000000000000",
    "ftevent-7fffffffffffffff",
    "model-a",
]


@pytest.fixture(scope="module")
def job_id(http: TestClient, file_id: str) -> str:
    return str(create_job(http, file_id)["id"])


def get_list(http: TestClient, path: str, job_id: str, **params: str | int) -> Any:
    return http.get(path.format(job_id=job_id), params=params)


def test_every_list_is_known() -> None:
    assert {path.removeprefix("/v1") for path in LISTS} == {
        "/files",
        "/fine_tuning/jobs",
        "/fine_tuning/jobs/{job_id}/events",
        "/fine_tuning/jobs/{job_id}/checkpoints",
        "/fine_tuning/jobs/{job_id}/webhook_deliveries",
        "/fine_tuning/jobs/{job_id}/runs",
        "/fine_tuning/comparisons",
        "/fine_tuning/recipes",
        "/models",
    }
    assert len(PAGED) == 6


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("after", UNKNOWN_IDS)
def test_an_unknown_cursor_is_refused(http: TestClient, job_id: str, path: str, after: str) -> None:
    response = get_list(http, path, job_id, after=after)
    assert get_refusal(response) == (400, "invalid_request", "after")


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_of_another_kind_is_refused(
    http: TestClient, job_id: str, file_id: str, path: str
) -> None:
    event_id = get_list(http, "/v1/fine_tuning/jobs/{job_id}/events", job_id).json()["last_id"]
    model_id = get_list(http, "/v1/models", job_id).json()["data"][0]["id"]
    run_id = get_list(http, "/v1/fine_tuning/jobs/{job_id}/runs", job_id).json()["last_id"]
    known = {"/v1/files": file_id, "/v1/fine_tuning/jobs": job_id}
    known["/v1/fine_tuning/jobs/{job_id}/events"] = event_id
    for cursor in (file_id, job_id, event_id, model_id, run_id):
        response = get_list(http, path, job_id, after=cursor)
        if known.get(path) == cursor:
            assert response.status_code == 200
        else:
            assert get_refusal(response) == (400, "invalid_request", "after")


def test_a_cursor_of_another_job_is_refused(http: TestClient, file_id: str, job_id: str) -> None:
    other_id = create_job(http, file_id, seed=8)["id"]
    path = "/v1/fine_tuning/jobs/{job_id}/events"
    event_id = get_list(http, path, other_id).json()["last_id"]
    assert get_list(http, path, other_id, after=event_id).status_code == 200
    response = get_list(http, path, job_id, after=event_id)
    assert get_refusal(response) == (400, "invalid_request", "after")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_no_other_page_parameters(http: TestClient, job_id: str, path: str) -> None:
    for name in ("before", "page", "offset"):
        assert get_refusal(get_list(http, path, job_id, **{name: "1"}))[::2] == (400, name)


@pytest.mark.parametrize("path", PAGED)
@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("0", "limit must be at least 1."),
        ("-1", "limit must be at least 1."),
        ("99999", "limit must be at most 1"),
        ("ten", "limit must be a whole number."),
        ("1.5", "limit must be a whole number."),
        ("", "limit must be a whole number."),
    ],
)
def test_an_invalid_limit_is_refused(
    http: TestClient, job_id: str, path: str, limit: str, text: str
) -> None:
    response = get_list(http, path, job_id, limit=limit)
    assert get_refusal(response) == (400, "invalid_request", "limit")
    assert response.json()["error"]["message"].startswith(text)


def test_pages_can_be_turned_while_their_items_are_deleted(http: TestClient) -> None:
    for number in range(3):
        content = f"text,label\na,x\nb{number},y\n".encode()
        http.post("/v1/files", files={"file": (f"{number}.csv", content)})
    newest, second, third, *_ = (item["id"] for item in http.get("/v1/files").json()["data"])
    assert http.delete(f"/v1/files/{newest}").status_code == 200
    page = http.get("/v1/files", params={"after": newest, "limit": 2}).json()
    assert [item["id"] for item in page["data"]] == [second, third]
