"""Uploaded models: checked, listed, started from by ID and name, kept while a job needs them."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from shared.db.files import list_expired_files
from shared.db.session import Database
from shared.db.tables import File, Job
from shared.infra.checkpoint_cache import get_checkpoint_folder
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_file_key
from tests.api.job_requests import JOBS, create_job, get_refusal
from tests.api.upload_requests import complete_upload, create_upload, send_part
from tests.encoders.archives import build_link, zip_folder, zip_members

FILES, MODELS = "/v1/files", "/v1/models"


def upload_model(http: TestClient, content: bytes, filename: str = "mine.zip") -> Any:
    return http.post(FILES, files={"file": (filename, content)}, data={"purpose": "model"})


@pytest.fixture(scope="module")
def archive(model_dir: Path) -> bytes:
    return zip_folder(model_dir / "tiny-bert", "tiny-bert/")


@pytest.fixture(scope="module")
def model(http: TestClient, archive: bytes) -> dict[str, Any]:
    response = upload_model(http, archive)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_an_uploaded_model_is_a_file_without_a_profile(
    http: TestClient, model: dict[str, Any], archive: bytes
) -> None:
    assert (model["purpose"], model["profile"], model["bytes"]) == ("model", None, len(archive))
    assert model["status_details"].startswith("Model of the family bert with ")
    assert http.get(f"{FILES}/{model['id']}/content").content == archive
    listed = http.get(f"{FILES}?purpose=model").json()["data"]
    assert model["id"] in [file["id"] for file in listed]
    assert get_refusal(http.get(f"{FILES}/{model['id']}/validation")) == (
        404,
        "file_not_found",
        "file_id",
    )


def test_a_model_larger_than_one_request_comes_in_parts(http: TestClient, archive: bytes) -> None:
    upload = create_upload(http, len(archive), filename="parts.zip", purpose="model")
    half = len(archive) // 2
    parts = [send_part(http, upload["id"], part) for part in (archive[:half], archive[half:])]
    done = complete_upload(http, upload["id"], parts)
    assert done.status_code == 200, done.text
    assert done.json()["file"]["purpose"] == "model"
    assert http.get(f"{MODELS}/parts").json()["id"] == done.json()["file"]["id"]


def test_the_list_describes_what_jobs_can_start_from(
    http: TestClient, model: dict[str, Any]
) -> None:
    listed = {item["id"]: item for item in http.get(MODELS).json()["data"]}
    bundled, folder, upload = (
        listed[name]["encoder"] for name in ("all-MiniLM-L6-v2", "tiny-bert", model["id"])
    )
    assert bundled == {
        "source": "bundled",
        "name": "all-MiniLM-L6-v2",
        "family": "bert",
        "parameters": 22_713_216,
        "num_hidden_layers": 6,
        "hidden_size": 384,
        "max_seq_length": 512,
        "languages": ["en"],
        "pooling": "mean",
        "license": "apache-2.0",
        "training_memory_bytes": bundled["training_memory_bytes"],
        "seconds_per_step": None,
    }
    assert 1e9 < bundled["training_memory_bytes"] < 3e9
    assert (folder["source"], folder["parameters"]) == ("folder", upload["parameters"])
    assert upload | {"source": "folder", "name": "tiny-bert"} == folder
    assert (upload["source"], upload["name"]) == ("upload", "mine")
    own = listed[model["id"]]
    assert (own["kind"], own["owned_by"], own["created"]) == ("base", "local", model["created_at"])
    for name in (model["id"], "mine"):
        assert http.get(f"{MODELS}/{name}").json() == own


def test_a_job_starts_from_the_id_and_from_the_name(
    http: TestClient, database: Database, file_id: str, model: dict[str, Any]
) -> None:
    for name in (model["id"], "mine"):
        job = create_job(http, file_id, model=name)
        assert job["model"] == model["id"]
        with database.read() as session:
            stored = session.get_one(Job, job["id"]).base_weights_sha256
            row = session.get_one(File, model["id"])
        assert row.model is not None
        assert stored == row.model.weights_sha256
        assert http.get(f"{JOBS}/{job['id']}").json()["model"] == model["id"]
        clone = http.post(f"{JOBS}/{job['id']}/clone", json={"seed": 3})
        assert clone.json()["model"] == model["id"]
    recipe = http.get(f"/v1/fine_tuning/recipes/stabilized?model={model['id']}")
    assert recipe.status_code == 200, recipe.text
    preview = http.get(f"{FILES}/{file_id}/preview?model=mine&n=1")
    assert preview.json()["data"][0]["tokens"][0] == "[CLS]"


def test_a_name_means_the_newest_upload_and_never_a_model_of_the_installation(
    http: TestClient, file_id: str, archive: bytes
) -> None:
    first, second = (upload_model(http, archive, "twice.zip").json()["id"] for _ in range(2))
    assert http.get(f"{MODELS}/twice").json()["id"] == second != first
    upload_model(http, archive, "tiny-roberta.zip")
    assert create_job(http, file_id, model="tiny-roberta")["model"] == "tiny-roberta"


def test_a_model_in_use_is_kept_and_can_be_deleted_afterwards(
    http: TestClient, database: Database, settings: Settings, file_id: str, model_dir: Path
) -> None:
    own = upload_model(http, zip_folder(model_dir / "tiny-bert", "other-folder/")).json()
    key = build_file_key(own["sha256"])
    storage = Storage(settings.resolved_storage_url)
    unpacked = get_checkpoint_folder(settings, own["sha256"])
    assert (unpacked / "model.safetensors").is_file()
    job = create_job(http, file_id, model=own["id"])
    for path in (f"{FILES}/{own['id']}", f"{MODELS}/{own['id']}"):
        assert get_refusal(http.delete(path))[:2] == (400, "file_in_use")
    assert storage.exists(key)
    with database.write() as session:
        session.execute(update(Job).where(Job.id == job["id"]).values(status="succeeded"))
    assert http.delete(f"{MODELS}/{own['id']}").json()["deleted"] is True
    assert not storage.exists(key)
    assert not unpacked.exists()
    assert http.get(f"{MODELS}/{own['id']}").status_code == 404
    refused = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 1})
    assert get_refusal(refused) == (400, "model_not_allowed", "model")


def test_an_expired_model_is_kept_for_an_open_job(
    http: TestClient, database: Database, file_id: str, archive: bytes
) -> None:
    used, unused = (upload_model(http, archive, "old.zip").json()["id"] for _ in range(2))
    create_job(http, file_id, model=used)
    with database.write() as session:
        session.execute(update(File).where(File.id.in_([used, unused])).values(expires_at=1.0))
    with database.read() as session:
        expired = {file.id for file in list_expired_files(session, 100)}
    assert unused in expired
    assert used not in expired


def test_only_a_model_is_a_start(http: TestClient, file_id: str, model: dict[str, Any]) -> None:
    body = {"training_file": file_id, "model": file_id}
    answer = http.post(JOBS, json=body)
    assert get_refusal(answer) == (400, "model_not_allowed", "model")
    assert "is not a model" in answer.json()["error"]["message"]
    missing = "file-" + "0" * 7 + "1" + "9" * 16
    answer = http.post(JOBS, json=body | {"model": missing})
    assert get_refusal(answer) == (400, "model_not_allowed", "model")
    answer = http.post(JOBS, json=body | {"training_file": model["id"], "model": "tiny-bert"})
    assert get_refusal(answer)[0] == 400
    answer = http.post("/v1/classifications", json={"model": model["id"], "input": "a"})
    assert get_refusal(answer) == (400, "invalid_value", "model")
    assert get_refusal(http.delete(f"{MODELS}/{file_id}")) == (404, "model_not_found", "model")


REFUSED = {
    "pickle": ("pytorch_model.bin", b"\x80\x04", 422, "archive_unsafe"),
    "code": ("modeling.py", b"import os", 422, "archive_unsafe"),
    "parent": ("../config.json", b"{}", 422, "archive_unsafe"),
    "bomb": ("more.safetensors", bytes(40_000_000), 422, "archive_too_large"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_unfit_archive_is_refused_and_not_kept(
    http: TestClient, database: Database, settings: Settings, model_dir: Path, kind: str
) -> None:
    name, content, status, code = REFUSED[kind]
    files = [
        (file.name, file.read_bytes())
        for file in (model_dir / "tiny-bert").iterdir()
        if file.is_file()
    ]
    answer = upload_model(http, zip_members([*files, (name, content)]), f"{kind}.zip")
    assert get_refusal(answer) == (status, code, "file")
    with database.read() as session:
        assert session.scalar(select(File.id).where(File.filename == f"{kind}.zip")) is None
    assert list((settings.resolved_cache_dir / "uploads").iterdir()) == []


def test_archives_without_a_usable_encoder_are_refused(http: TestClient) -> None:
    link = zip_members([build_link("config.json", "/etc/passwd")])
    decoder = zip_members([("config.json", b'{"model_type": "gpt2"}')])
    empty = zip_members([("README.md", b"# nothing")])
    for content, code in (
        (link, "archive_unsafe"),
        (decoder, "archived_model_unusable"),
        (empty, "archived_model_unusable"),
        (decoder[:-5], "archive_malformed"),
    ):
        assert get_refusal(upload_model(http, content)) == (422, code, "file")
    for content in (b"text,label\na,b\n", b""):
        answer = upload_model(http, content)
        assert get_refusal(answer) == (415, "unsupported_media_type", "file")
    answer = http.post(FILES, files={"file": ("mine.zip", decoder)})
    assert get_refusal(answer)[0] == 415


def test_the_size_limit_of_models_is_their_own(http: TestClient, settings: Settings) -> None:
    body = {"filename": "a.zip", "mime_type": "application/zip", "purpose": "model"}
    within, beyond = settings.max_model_bytes, settings.max_model_bytes + 1
    answer = http.post("/v1/uploads", json={**body, "bytes": within})
    assert answer.status_code == 200
    answer = http.post("/v1/uploads", json={**body, "bytes": beyond})
    assert get_refusal(answer) == (413, "payload_too_large", "bytes")
    answer = http.post("/v1/uploads", json={**body, "bytes": within, "purpose": "fine-tune"})
    assert get_refusal(answer) == (413, "payload_too_large", "bytes")
