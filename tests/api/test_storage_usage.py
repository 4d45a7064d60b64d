"""What takes the room in the storage, and who needs the folder that a zip file is made of."""

import pytest
from fastapi.testclient import TestClient

from shared.db.references import collect_references
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import File, Model
from shared.domain import ids
from shared.domain.zip_outline import ZipOutline, ZippedFile
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import (
    StorageRoot,
    build_artifacts_prefix,
    build_log_key,
    build_model_prefix,
    build_predictions_key,
)
from tests.api.scored_jobs import add_job
from tests.make import review_csv


def make_zip_row(folder: str) -> File:
    """Build the row of a zip file of a folder with ten bytes."""
    zipped = ZippedFile(header=b"head", name="model.safetensors", bytes=10)
    return File(
        id=ids.make_file_id(),
        owner_id="local",
        filename="model.zip",
        purpose="fine-tune-results",
        bytes=17,
        sha256=folder,
        status="processed",
        folder=folder,
        zip_outline=ZipOutline(files=(zipped,), directory=b"end"),
    )


def make_model(model_id: str, job_id: str, run_id: str, prefix: str) -> Model:
    return Model(
        id=model_id,
        owner_id="local",
        job_id=job_id,
        run_id=run_id,
        base_model="tiny-bert",
        prefix=prefix,
        labels=["a", "b"],
    )


def test_every_stored_byte_belongs_to_one_item(
    http: TestClient, settings: Settings, database: Database
) -> None:
    job_id = add_job(database, [0.5, 0.6])
    storage = Storage(settings.resolved_storage_url)
    folder, model_id = build_model_prefix(job_id, 1), f"ft:tiny-bert:local::{job_id}"
    with database.write() as session:
        run, other = Runs(session).list_by_job(job_id)
        kept = f"{build_artifacts_prefix(other.id)}/1"
        session.add(make_model(model_id, job_id, run.id, folder))
        session.add(make_model(f"{model_id}:seed-1", job_id, other.id, kept))
        session.add(make_zip_row(folder))
        keys = build_log_key(other.id, 1), build_predictions_key(run.id)
    storage.put_bytes(f"{folder}/model.safetensors", b"w" * 5_000_000)
    storage.put_bytes(f"{kept}/model.safetensors", b"w" * 4_000_000)
    for key, size in zip(keys, (700_000, 800_000), strict=True):
        storage.put_bytes(key, b"w" * size)
    for _ in range(2):
        answer = http.post("/v1/files", files={"file": ("equal.csv", review_csv(400))})
        assert answer.status_code == 200
    usage = http.get("/v1/usage/storage").json()
    sizes = {(item["kind"], item["id"]): item["bytes"] for item in usage["data"]}
    assert sizes["model", model_id] == 5_000_000
    assert sizes["model", f"{model_id}:seed-1"] == 4_000_000
    assert sizes["runs", job_id] == 1_500_000
    names = [item["name"] for item in usage["data"]]
    assert (names.count("equal.csv"), names.count("model.zip")) == (1, 0)
    in_storage = sum(blob.bytes for root in StorageRoot for blob in storage.list(root))
    assert usage["bytes"] == sum(sizes.values()) == in_storage
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    largest = http.get("/v1/usage/storage", params={"limit": 1}).json()
    assert (largest["bytes"], largest["items"]) == (usage["bytes"], len(sizes))
    assert [item["id"] for item in largest["data"]] == [model_id]


@pytest.mark.parametrize("first", ["model", "file"])
def test_a_folder_stays_until_its_model_and_its_zip_file_are_deleted(
    first: str, http: TestClient, settings: Settings, database: Database
) -> None:
    job_id = add_job(database, [0.5])
    storage = Storage(settings.resolved_storage_url)
    folder, model_id = build_model_prefix(job_id, 1), f"ft:tiny-bert:local::{job_id}"
    storage.put_bytes(f"{folder}/model.safetensors", b"w" * 10)
    zip_row = make_zip_row(folder)
    file_id = zip_row.id
    with database.write() as session:
        run_id = Runs(session).list_by_job(job_id)[0].id
        session.add(make_model(model_id, job_id, run_id, folder))
        session.add(zip_row)
    content = f"/v1/files/{file_id}/content"
    expected = http.get(content)
    assert expected.content == b"head" + b"w" * 10 + b"end"
    assert expected.headers["content-length"] == "17"
    addresses = {"model": f"/v1/models/{model_id}", "file": f"/v1/files/{file_id}"}
    assert http.delete(addresses.pop(first)).status_code == 200
    assert any(storage.list(folder))
    with database.read() as session:
        assert folder in collect_references(session).prefixes
    assert http.get(content).status_code == (200 if first == "model" else 404)
    assert http.delete(addresses.popitem()[1]).status_code == 200
    assert not any(storage.list(folder))
    with database.read() as session:
        assert folder not in collect_references(session).prefixes
