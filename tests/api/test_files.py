"""Files over HTTP: upload, list, download, check, delete; and every kind of bad upload."""

import hashlib

import pytest
from fastapi.testclient import TestClient

from shared.infra.settings import Settings
from tests.make import pair_tsv, review_csv
from tests.shared.datasets.bad_uploads import BAD_UPLOADS, BadUpload


def upload(http: TestClient, content: bytes, name: str = "data.csv") -> dict[str, object]:
    response = http.post(
        "/v1/files", files={"file": (name, content)}, data={"purpose": "fine-tune"}
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.mark.parametrize("bad", BAD_UPLOADS, ids=lambda bad: bad.name)
def test_a_bad_upload_is_refused_and_not_stored(
    http: TestClient, settings: Settings, bad: BadUpload
) -> None:
    expected = (
        (413, "payload_too_large")
        if len(bad.content) > settings.max_upload_bytes
        else (bad.status, bad.code)
    )
    before = http.get("/v1/files").json()["data"]
    response = http.post("/v1/files", files={"file": (bad.filename, bad.content)})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == expected
    assert set(error) == {"message", "type", "param", "code"}
    assert http.get("/v1/files").json()["data"] == before
    assert list((settings.home / "cache" / "uploads").iterdir()) == []


def test_at_least_25_kinds_of_bad_uploads_are_covered() -> None:
    assert len({bad.name for bad in BAD_UPLOADS}) >= 25


def test_the_content_is_returned_unchanged(http: TestClient) -> None:
    content = pair_tsv(30)
    file = upload(http, content, "pairs.tsv")
    assert file["bytes"] == len(content)
    response = http.get(f"/v1/files/{file['id']}/content")
    assert response.content == content
    assert (
        response.headers["content-disposition"]
        == "attachment; filename=\"pairs.tsv\"; filename*=UTF-8''pairs.tsv"
    )
    validation = http.get(f"/v1/files/{file['id']}/validation").json()
    assert (validation["object"], validation["file_id"], validation["rows"]) == (
        "file.validation",
        file["id"],
        30,
    )


def test_equal_content_is_stored_once_and_deleted_with_the_last_file(
    http: TestClient, settings: Settings
) -> None:
    content = review_csv(25, seed=77)
    blob = settings.home / "storage" / "files" / hashlib.sha256(content).hexdigest()
    first, second = upload(http, content), upload(http, content)
    assert first["id"] != second["id"]
    assert blob.read_bytes() == content
    assert http.delete(f"/v1/files/{first['id']}").json() == {
        "id": first["id"],
        "object": "file",
        "deleted": True,
    }
    assert http.get(f"/v1/files/{second['id']}/content").content == content
    http.delete(f"/v1/files/{second['id']}")
    assert not blob.exists()
    assert http.get(f"/v1/files/{second['id']}").status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.csv",
        "..\\..\\x.csv",
        "/etc/x.csv",
        "a\"b'c.csv",
        "ünï.csv",
        "a" * 250 + ".csv",
    ],
)
def test_a_file_name_cannot_escape_the_storage(
    http: TestClient, settings: Settings, name: str
) -> None:
    file = upload(http, review_csv(20), name)
    assert "/" not in str(file["filename"])
    assert "\\" not in str(file["filename"])
    outside = list(settings.home.parent.rglob("passwd.csv"))
    assert outside == []
    assert http.get(f"/v1/files/{file['id']}/content").status_code == 200


def test_a_too_long_file_name_is_refused(http: TestClient) -> None:
    response = http.post("/v1/files", files={"file": ("a" * 300 + ".csv", review_csv(20))})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "file")


def test_a_line_break_in_a_file_name_stays_escaped(http: TestClient) -> None:
    assert upload(http, review_csv(20), "a\nb.csv")["filename"] == "a%0Ab.csv"


def test_files_are_listed_in_either_order(http: TestClient) -> None:
    ids = [upload(http, review_csv(20, seed=n))["id"] for n in range(3)]
    newest = http.get("/v1/files", params={"limit": 2}).json()
    assert [file["id"] for file in newest["data"]] == ids[:0:-1]
    assert newest["has_more"] is True
    following = http.get("/v1/files", params={"limit": 1, "after": newest["last_id"]}).json()
    assert following["data"][0]["id"] == ids[0]
    oldest = http.get("/v1/files", params={"order": "asc", "limit": 1}).json()
    assert oldest["data"][0]["id"] < ids[0]
    assert http.get("/v1/files", params={"purpose": "fine-tune-results"}).json()["data"] == []


def test_a_file_without_header_is_validated_by_column_index(http: TestClient) -> None:
    rows = [f"gj04\t{n % 2}\t\tsentence number {n}" for n in range(20)]
    file = upload(http, "\n".join(rows).encode(), "train.tsv")
    task = {"header": False, "text_column": 3, "label_column": 1}
    report = http.post(f"/v1/files/{file['id']}/validate", json={"task": task}).json()
    assert report["rows"] == 20
    assert report["labels"] == [{"label": "0", "count": 10}, {"label": "1", "count": 10}]
    job = {"training_file": file["id"], "model": "tiny-bert", "task": task}
    assert http.post("/v1/fine_tuning/jobs", json=job).json()["task"]["text_column"] == 3


@pytest.mark.parametrize("param", ["training_file", "validation_file"])
def test_hub_data_sets_are_disabled_by_default(http: TestClient, file_id: str, param: str) -> None:
    job = {"training_file": file_id, "model": "tiny-bert", param: "hf://nyu-mll/glue/rte@main"}
    error = http.post("/v1/fine_tuning/jobs", json=job).json()["error"]
    assert (error["code"], error["param"]) == ("hub_not_allowed", param)
    assert "upload" in error["message"]
