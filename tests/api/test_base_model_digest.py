"""A job is pinned to the files of its base model; further runs from other files are refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import Job
from shared.encoders.model_digest import compute_model_digest
from tests.api.job_requests import JOBS, get_refusal
from tests.encoders import build_bert_folder

REQUEST: dict[str, Any] = {
    "recipe": {"max_steps": 40, "reinit_layers": 1, "learning_rate": 6.4e-4},
    "runs": {"num_seeds": 1},
}


@pytest.fixture
def base(model_dir: Path) -> Iterator[Path]:
    folder = build_bert_folder(model_dir / "to-be-replaced")
    yield folder
    shutil.rmtree(folder)


def create_job(http: TestClient, file_id: str, base: Path) -> str:
    body = {"training_file": file_id, "model": base.name, **REQUEST}
    answer = http.post(JOBS, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_the_row_has_the_digest_and_an_extension_from_other_files_is_refused(
    http: TestClient, file_id: str, database: Database, base: Path
) -> None:
    job_id = create_job(http, file_id, base)
    with database.read() as session:
        assert session.get_one(Job, job_id).base_model_sha256 == compute_model_digest(base)
    assert http.post(f"{JOBS}/{job_id}/extend", json={"num_seeds": 1}).status_code == 200

    config = (base / "tokenizer_config.json").read_text()
    (base / "tokenizer_config.json").write_text(f"{config} ")
    refused = http.post(f"{JOBS}/{job_id}/extend", json={"num_seeds": 1})
    assert get_refusal(refused) == (400, "base_model_changed", "model")
    assert f"those that job {job_id} was created with" in refused.json()["error"]["message"]
    assert len(http.get(f"{JOBS}/{job_id}/runs").json()["data"]) == 2

    (base / "tokenizer_config.json").write_text(config)
    assert http.post(f"{JOBS}/{job_id}/extend", json={"num_seeds": 1}).status_code == 200
    with database.read() as session:  # a new job starts from what is there
        other = create_job(http, file_id, base)
        assert session.get_one(Job, other).base_model_sha256 == compute_model_digest(base)
