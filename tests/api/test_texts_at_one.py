"""Texts about one run, one step, one row or one cell."""

from pathlib import Path

from fastapi.testclient import TestClient

from api.app import create_app
from shared.infra.settings import Settings
from tests.api.job_requests import create_job, get_refusal
from tests.make import review_csv


def test_one_run_of_one_step(http: TestClient, file_id: str) -> None:
    job = create_job(
        http,
        file_id,
        hyperparameters=None,
        recipe={"preset": "debiased", "max_steps": 1},
        runs={"num_seeds": 1},
    )
    path = f"/v1/fine_tuning/jobs/{job['id']}"
    events = http.get(f"{path}/events").json()["data"]
    assert "Created: 1 run of 1 step with the recipe debiased." in [e["message"] for e in events]
    assert http.post(f"{path}/extend", json={"num_seeds": 1}).status_code == 200
    newest = http.get(f"{path}/events").json()["data"][0]["message"]
    assert newest.startswith("Added 1 run (seed ")


def test_one_cell_of_one_row(http: TestClient) -> None:
    content = review_csv(20) + b"one cell\r\n"
    file = http.post("/v1/files", files={"file": ("a.csv", content)}).json()
    assert "The row has 1 cell, but" in str(file["profile"])


def test_a_damaged_model_is_refused_when_a_job_is_created(
    settings: Settings, model_dir: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in (model_dir / "tiny-bert").iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    changed = settings.model_copy(update={"model_dirs": str(tmp_path)})
    changed.__dict__.pop("model_folders", None)
    with TestClient(create_app(changed)) as http:
        file = http.post("/v1/files", files={"file": ("a.csv", review_csv(40))}).json()
        response = http.post(
            "/v1/fine_tuning/jobs", json={"training_file": file["id"], "model": "damaged"}
        )
        assert get_refusal(response) == (400, "model_not_allowed", "model")
        assert (
            "model.safetensors is damaged (it is cut short)" in response.json()["error"]["message"]
        )
