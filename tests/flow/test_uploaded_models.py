"""An uploaded model trains like its folder, and models fine-tuned from it are starts themselves."""

import io
import json
import shutil
import zipfile
from pathlib import Path

from cli.client import Client
from cli.model_upload import upload_model
from cli.tables import make_console
from shared.infra.storage import Storage
from tests.flow.classifications import QUICK
from tests.flow.result_files import get_result_files
from tests.make import review_csv
from tests.stack import Stack

FILES = "/v1/files"


def test_an_uploaded_model_gives_the_weights_of_its_folder(
    shared_stack: Stack, model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(model_dir / "tiny-bert", folder)
    (folder / "pytorch_model.bin").write_bytes(b"left out by the command")
    with Client(str(shared_stack.http.base_url)) as client:
        upload_model(client, make_console(stderr=True), folder, "renamed")
    data = shared_stack.upload(review_csv(60))["id"]
    asked = {"recipe": QUICK | {"max_steps": 2}, "runs": {"num_seeds": 1}}
    # as on a worker of another machine: nothing is unpacked yet
    shutil.rmtree(shared_stack.home / "cache" / "models")
    jobs = [
        shared_stack.create(data, model=name, **asked)["id"] for name in ("renamed", "tiny-bert")
    ]
    uploaded, local = (shared_stack.wait(job) for job in jobs)
    assert uploaded["status"] == local["status"] == "succeeded", shared_stack.logs()
    weights = [shared_stack.runs(job)[0]["weights_sha256"] for job in jobs]
    assert weights[0] == weights[1]
    archive = zipfile.ZipFile(io.BytesIO(get_result_files(shared_stack, uploaded)["model.zip"]))
    provenance = json.loads(archive.read("evenkeel.json"))
    assert provenance["base_model"] == uploaded["model"]
    assert provenance["base_weights_sha256"] is not None
    assert shared_stack.http.delete(f"{FILES}/{uploaded['model']}").status_code == 200
    continued = shared_stack.create(data, model=uploaded["fine_tuned_model"], **asked)
    ended = shared_stack.wait(continued["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    step = shared_stack.get("/v1/models/tiny-bert")["encoder"]["seconds_per_step"]
    assert 0 < step < 60


def test_no_job_starts_from_an_archive_that_was_changed_in_the_storage(
    shared_stack: Stack, model_dir: Path
) -> None:
    with Client(str(shared_stack.http.base_url)) as client:
        upload_model(client, make_console(stderr=True), model_dir / "tiny-roberta", "changed")
    file = shared_stack.get(f"{FILES}?purpose=model")["data"][0]
    shutil.rmtree(shared_stack.home / "cache" / "models", ignore_errors=True)
    storage = Storage((shared_stack.home / "storage").as_uri())
    key = f"files/{file['sha256']}"
    content = b"".join(storage.stream(key))
    storage.put_bytes(key, content[:-30] + bytes(30))
    data = shared_stack.upload(review_csv(60))["id"]
    answer = shared_stack.http.post(
        "/v1/fine_tuning/jobs", json={"training_file": data, "model": file["id"]}
    )
    assert answer.status_code == 503, answer.text
    assert "was changed there" in answer.json()["error"]["message"]
    storage.put_bytes(key, content)
    job = shared_stack.create(
        data, model=file["id"], recipe=QUICK | {"max_steps": 2}, runs={"num_seeds": 1}
    )
    assert shared_stack.wait(job["id"])["status"] == "succeeded", shared_stack.logs()
