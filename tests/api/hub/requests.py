"""Requests for jobs on data sets of the simulated hub."""

from typing import Any

from fastapi.testclient import TestClient

from tests.hub import PlayedHub

JOBS = "/v1/fine_tuning/jobs"
NAME = "someone/reviews"


def create_job(http: TestClient, training_file: str = f"hf://{NAME}", **changes: Any) -> Any:
    request = {
        "training_file": training_file,
        "model": "tiny-bert",
        "recipe": {"reinit_layers": 1, "max_steps": 8, "learning_rate": 6.4e-4},
    }
    return http.post(JOBS, json=request | changes)


def get_error(
    http: TestClient, training_file: str = f"hf://{NAME}", **changes: Any
) -> tuple[int, str, str, str]:
    response = create_job(http, training_file, **changes)
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"], error["message"]


def get_download_path(hub: PlayedHub) -> str:
    """Return the download path of the only data file."""
    repository = hub.repositories[NAME]
    [path] = repository.files
    return f"/datasets/{NAME}/resolve/{repository.commit}/{path}"
