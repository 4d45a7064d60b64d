"""A dry run says what the job would be, refuses what the job would refuse, and leaves nothing behind."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.db.workers import Workers
from shared.infra.settings import Settings

JOBS = "/v1/fine_tuning/jobs"
GIVEN = {"reinit_layers": 1, "max_steps": 40, "precision": "float32"}


def request(file_id: str, **changes: Any) -> dict[str, Any]:
    return {"training_file": file_id, "model": "tiny-bert", "recipe": GIVEN, **changes}


@pytest.mark.parametrize("where", ["query", "body"])
def test_it_is_the_job_without_the_job(http: TestClient, file_id: str, where: str) -> None:
    before = http.get(JOBS).json()["first_id"]
    query, body = ({"dry_run": "true"}, {}) if where == "query" else ({}, {"dry_run": True})
    dry = http.post(JOBS, params=query, json=request(file_id, seed=3) | body).json()
    assert dry["object"] == "fine_tuning.job.dry_run"
    assert http.get(JOBS).json()["first_id"] == before
    job = http.post(JOBS, json=request(file_id, seed=3)).json()
    same = (
        "task",
        "split",
        "recipe",
        "resolved_recipe",
        "recipe_notes",
        "metric",
        "threads",
        "dataset",
        "warnings",
    )
    assert {name: dry[name] for name in same} == {name: job[name] for name in same}
    assert [(run["purpose"], run["seed"], run["total_steps"]) for run in dry["runs"]] == [
        ("main", seed, 40) for seed in range(3, 8)
    ]


def test_candidates_of_what_is_automatic(http: TestClient, file_id: str) -> None:
    dry = http.post(
        JOBS, params={"dry_run": "1"}, json=request(file_id, recipe={"max_steps": 40})
    ).json()
    assert dry["resolved_recipe"] is None
    assert [one["reinit_layers"] for one in dry["pilots"]["candidates"]] == [0, 1, 2]
    purposes = [run["purpose"] for run in dry["runs"]]
    assert purposes == ["pilot"] * 6 + ["main"] * 5
    assert dry["estimate"]["steps"] == 11 * 40


def test_it_refuses_what_the_job_would_refuse(http: TestClient, file_id: str) -> None:
    for wrong in ({"recipe": {"reinit_layers": 4}}, {"colour": 1}, {"training_file": "file-none"}):
        answers = [
            http.post(JOBS, params={"dry_run": dry}, json=request(file_id) | wrong)
            for dry in ("0", "1")
        ]
        assert answers[0].status_code == answers[1].status_code >= 400
        assert answers[0].json() == answers[1].json()


def test_the_estimate_rests_on_what_has_been_measured(
    http: TestClient, file_id: str, settings: Settings
) -> None:
    asked = request(
        file_id,
        model="tiny-roberta",
        recipe={**GIVEN, "train_batch_size": 8, "reinit_pooler": False},
    )
    unknown = http.post(JOBS, params={"dry_run": "1"}, json=asked).json()["estimate"]
    assert (unknown["seconds"], unknown["steps"]) == (None, 200)
    assert unknown["reason"].startswith(
        "No run of tiny-roberta in float32 has ended here yet"
    )

    job = http.post(JOBS, json=asked).json()
    database = Database(settings.resolved_database_url)
    with database.write() as session:  # 40 steps of 8 rows in 32 seconds
        ended = {"status": "succeeded", "attempt": 1, "started_at": 1000.0, "finished_at": 1032.0}
        session.execute(
            update(Run).where(Run.job_id == job["id"], Run.purpose == "main").values(**ended)
        )
        session.execute(update(Job).where(Job.id == job["id"]).values(status="succeeded"))
    known = http.post(JOBS, params={"dry_run": "1"}, json=asked).json()["estimate"]
    assert (known["slots"], known["seconds"]) == (1, pytest.approx(5 * 32))
    with database.write() as session:
        Workers(session).beat("here:1", "here", ["cpu"] * 3)
    shared = http.post(JOBS, params={"dry_run": "1"}, json=asked).json()["estimate"]
    assert (shared["slots"], shared["seconds"]) == (3, pytest.approx(5 * 32 / 3, abs=0.1))
    other_batch = {**asked, "recipe": {**asked["recipe"], "train_batch_size": 16}}
    twice = http.post(JOBS, params={"dry_run": "1"}, json=other_batch).json()["estimate"]
    assert twice["seconds"] == pytest.approx(2 * 5 * 32 / 3, abs=0.1)
    database.dispose()
