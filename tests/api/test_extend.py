"""Extending jobs over HTTP: which seeds are added, and what is refused.

No worker runs, so every job is open or cancelled.
"""

from typing import Any

import pytest
from fastapi.testclient import TestClient

JOBS = "/v1/fine_tuning/jobs"
REQUEST: dict[str, Any] = {
    "model": "tiny-bert",
    "recipe": {"max_steps": 40, "reinit_layers": 1, "learning_rate": 6.4e-4},
    "runs": {"seeds": [4, 9]},
}


def create_job(http: TestClient, file_id: str, **changes: Any) -> str:
    answer = http.post(JOBS, json={"training_file": file_id, **REQUEST, **changes})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def extend(
    http: TestClient, job_id: str, headers: dict[str, str] | None = None, **request: Any
) -> Any:
    return http.post(f"{JOBS}/{job_id}/extend", json=request, headers=headers)


def list_seeds(http: TestClient, job_id: str) -> list[tuple[int, int, int]]:
    runs = http.get(f"{JOBS}/{job_id}/runs").json()["data"]
    assert [run["index"] for run in runs] == list(range(len(runs)))
    assert {(run["status"], run["total_steps"]) for run in runs} == {("queued", 40)}
    return [(run["seed"], run["init_seed"], run["data_seed"]) for run in runs]


def test_further_seeds_follow_the_highest_one(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id)
    answer = extend(http, job_id, num_seeds=2)
    assert (answer.status_code, answer.json()["runs_summary"]["total"]) == (200, 4)
    assert extend(http, job_id, seeds=[5]).status_code == 200
    assert [seed for seed, _, _ in list_seeds(http, job_id)] == [4, 9, 10, 11, 5]
    messages = [event["message"] for event in http.get(f"{JOBS}/{job_id}/events").json()["data"]]
    assert messages[0] == "Added 1 run (seed 5). Existing runs: 4, which are kept."


def test_a_grid_grows_by_initialization_seeds(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id, runs={"init_seeds": [1], "data_seeds": [7, 8]})
    extend(http, job_id, num_seeds=1)
    assert list_seeds(http, job_id) == [(1, 1, 7), (1, 1, 8), (2, 2, 7), (2, 2, 8)]


def test_a_request_sent_again_with_its_key_adds_its_runs_once(
    http: TestClient, file_id: str
) -> None:
    job_id = create_job(http, file_id)
    key = {"Idempotency-Key": f"extend-{job_id}"}
    for _ in range(2):
        assert extend(http, job_id, key, num_seeds=1).status_code == 200
    assert len(list_seeds(http, job_id)) == 3
    other = extend(http, job_id, key, num_seeds=2)
    assert other.json()["error"]["code"] == "idempotency_key_reused"


def test_a_retry_of_the_official_client_adds_its_runs_once(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id)
    for retry_count in ("0", "1", "2"):
        assert (
            extend(http, job_id, {"x-stainless-retry-count": retry_count}, num_seeds=1).status_code
            == 200
        )
    assert len(list_seeds(http, job_id)) == 3
    extend(
        http, job_id, {"x-stainless-retry-count": "1"}, num_seeds=2
    )  # its first attempt never arrived
    assert len(list_seeds(http, job_id)) == 5
    extend(http, job_id, num_seeds=2)  # not a retry, so it counts
    assert len(list_seeds(http, job_id)) == 7


def test_runs_added_during_pilots_are_held_too(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id, recipe={"max_steps": 40})
    extended = extend(http, job_id, num_seeds=1).json()
    assert (extended["resolved_recipe"], extended["runs_summary"]["queued"]) == (None, 3)
    assert http.post(f"{JOBS}/{job_id}/cancel").json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({}, None),
        ({"num_seeds": 1, "seeds": [1]}, None),
        ({"num_seeds": 0}, "num_seeds"),
        ({"seeds": [9]}, "seeds"),
        ({"seeds": [1, 1]}, None),
        ({"num_seeds": 199}, "runs"),
        ({"colour": 1}, "colour"),
    ],
)
def test_an_invalid_extension_is_refused_and_adds_nothing(
    http: TestClient, file_id: str, request_: dict[str, Any], param: str | None
) -> None:
    job_id = create_job(http, file_id)
    answer = extend(http, job_id, **request_)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert len(list_seeds(http, job_id)) == 2


def test_a_cancelled_or_unknown_job_cannot_be_extended(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id)
    http.post(f"{JOBS}/{job_id}/cancel")
    answer = extend(http, job_id, num_seeds=1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "job_not_extendable")
    assert extend(http, "ftjob-none", num_seeds=1).status_code == 404
