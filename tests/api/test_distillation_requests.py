"""Requests for a distilled model: what is planned, and what is refused. No worker runs."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Job
from shared.domain.publication import Publication
from shared.domain.states import JobState
from tests.api.job_requests import JOBS, create_job, get_refusal, list_runs

STEPS = 40
DISTILLED: dict[str, Any] = {
    "artifacts": {"publish": "distilled"},
    "recipe": {"max_steps": STEPS, "reinit_layers": 1},
    "hyperparameters": None,
}


def list_distillations(http: TestClient, job_id: str) -> list[dict[str, Any]]:
    listed = http.get(f"{JOBS}/{job_id}/runs", params={"purpose": "distillation"}).json()
    return list(listed["data"])


def test_the_distillation_is_planned_with_the_job(http: TestClient, file_id: str) -> None:
    job = create_job(http, file_id, **DISTILLED)
    [run] = list_distillations(http, job["id"])
    assert (run["status"], run["purpose"], run["total_steps"]) == ("queued", "distillation", STEPS)
    assert len(list_runs(http, job["id"])) == job["runs_summary"]["total"] == 2
    assert job["progress"]["steps_total"] == 3 * STEPS
    plain = create_job(http, file_id, seed=9, recipe=DISTILLED["recipe"], hyperparameters=None)
    assert list_distillations(http, plain["id"]) == []


def test_a_dry_run_counts_the_distillation(http: TestClient, file_id: str) -> None:
    request = {"training_file": file_id, "model": "tiny-bert", "runs": {"num_seeds": 2}}
    answer = http.post(JOBS, json={**request, **DISTILLED, "dry_run": True}).json()
    assert [run["purpose"] for run in answer["runs"]] == ["main", "main", "distillation"]
    assert answer["estimate"]["steps"] == 3 * STEPS


def test_seeds_added_before_the_distillation_are_among_its_teachers(
    http: TestClient, file_id: str
) -> None:
    job = create_job(http, file_id, **DISTILLED)
    assert http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 1}).status_code == 200
    assert len(list_distillations(http, job["id"])) == 1
    assert len(list_runs(http, job["id"])) == 3


def test_a_cancelled_job_cancels_its_distillation(http: TestClient, file_id: str) -> None:
    job = create_job(http, file_id, **DISTILLED)
    assert http.post(f"{JOBS}/{job['id']}/cancel").json()["status"] == "cancelled"
    [run] = list_distillations(http, job["id"])
    assert run["status"] == "cancelled"
    refused = http.post(f"{JOBS}/{job['id']}/runs/{run['id']}/retry")
    assert get_refusal(refused) == (400, "run_not_retryable", "run_id")


@pytest.mark.parametrize(("keep", "status"), [("all_runs", 200), (None, 400)])
def test_an_ended_job_grows_only_if_it_kept_the_models_of_its_runs(
    keep: str | None, status: int, http: TestClient, database: Database, file_id: str
) -> None:
    artifacts = {"publish": "distilled"} | ({"keep": keep} if keep else {})
    job = create_job(http, file_id, **DISTILLED | {"artifacts": artifacts})
    ended = {"status": JobState.SUCCEEDED, "publication": Publication(kind="distilled")}
    with database.write() as session:
        session.execute(update(Job).where(Job.id == job["id"]).values(ended))
    answer = http.post(f"{JOBS}/{job['id']}/extend", json={"num_seeds": 1})
    assert answer.status_code == status
    if status == 400:
        assert get_refusal(answer)[1] == "job_not_extendable"


@pytest.mark.parametrize(
    "changes",
    [
        {"artifacts": {"publish": "distilled", "keep": "none"}},
        {"artifacts": {"publish": "distilled", "keep": "best_run"}},
        {"artifacts": {"publish": "distilled"}, "split": {"mode": "kfold", "k": 3}},
    ],
    ids=str,
)
def test_contradictions_are_refused(
    changes: dict[str, Any], http: TestClient, file_id: str
) -> None:
    request = {"training_file": file_id, "model": "tiny-bert", **changes}
    assert http.post(JOBS, json=request).status_code == 400
