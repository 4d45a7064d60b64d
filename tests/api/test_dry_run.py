"""Dry runs: the same plan and the same refusals as a creation, and no job."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.db.workers import Workers
from shared.infra.settings import Settings
from tests.api.test_webhook_requests import HOOK

JOBS = "/v1/fine_tuning/jobs"
GIVEN = {"reinit_layers": 1, "max_steps": 40, "precision": "float32", "learning_rate": 6.4e-4}


def build_request(file_id: str, **changes: Any) -> dict[str, Any]:
    return {"training_file": file_id, "model": "tiny-bert", "recipe": GIVEN, **changes}


@pytest.mark.parametrize("where", ["query", "body"])
def test_a_dry_run_has_the_fields_of_the_job(http: TestClient, file_id: str, where: str) -> None:
    before = http.get(JOBS).json()["first_id"]
    query, body = ({"dry_run": "true"}, {}) if where == "query" else ({}, {"dry_run": True})
    dry = http.post(JOBS, params=query, json=build_request(file_id, seed=3) | body).json()
    assert dry["object"] == "fine_tuning.job.dry_run"
    assert http.get(JOBS).json()["first_id"] == before
    job = http.post(JOBS, json=build_request(file_id, seed=3)).json()
    shared_fields = (
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
    assert {name: dry[name] for name in shared_fields} == {
        name: job[name] for name in shared_fields
    }
    assert [(run["purpose"], run["seed"], run["total_steps"]) for run in dry["runs"]] == [
        ("main", seed, 40) for seed in range(3, 8)
    ]


def test_pilots_and_their_candidates_are_shown(http: TestClient, file_id: str) -> None:
    dry = http.post(
        JOBS, params={"dry_run": "1"}, json=build_request(file_id, recipe={"max_steps": 40})
    ).json()
    assert dry["resolved_recipe"] is None
    networks = [(one["pooling"], one["reinit_layers"]) for one in dry["pilots"]["candidates"]]
    assert networks == [("family", 1), ("mean", 0), ("family", 0)]
    purposes = [(run["purpose"], run["total_steps"]) for run in dry["runs"]]
    assert purposes == [("pilot", 20)] * 3 + [("main", 40)] * 5
    assert (dry["pilots"]["limit"], dry["estimate"]["steps"]) == (200, 3 * 20 + 200)


def test_runs_that_early_discard_stops_pay_for_fewer_pilots(http: TestClient, file_id: str) -> None:
    discard = {"start": 20, "keep": 5, "at_fraction": 0.2}
    request = build_request(file_id, recipe={"max_steps": 40}, early_discard=discard)
    dry = http.post(JOBS, params={"dry_run": "1"}, json=request).json()
    assert dry["pilots"]["limit"] == (5 + 15 * 0.2) * 40


def test_a_dry_run_refuses_what_a_creation_refuses(http: TestClient, file_id: str) -> None:
    for invalid in (
        {"recipe": {"reinit_layers": 4}},
        {"colour": 1},
        {"training_file": "file-none"},
    ):
        answers = [
            http.post(JOBS, params={"dry_run": dry}, json=build_request(file_id) | invalid)
            for dry in ("0", "1")
        ]
        assert answers[0].status_code == answers[1].status_code >= 400
        assert answers[0].json() == answers[1].json()


def test_the_estimate_uses_earlier_runs_of_the_model(
    http: TestClient, file_id: str, settings: Settings
) -> None:
    body = build_request(
        file_id,
        model="tiny-roberta",
        recipe={**GIVEN, "train_batch_size": 8, "reinit_pooler": False},
    )
    unknown = http.post(JOBS, params={"dry_run": "1"}, json=body).json()["estimate"]
    assert (unknown["seconds"], unknown["steps"]) == (None, 200)
    assert unknown["reason"].startswith("No run of tiny-roberta in float32 has finished on this")

    job = http.post(JOBS, json=body).json()
    database = Database(settings.resolved_database_url)
    with database.write() as session:  # 40 steps of 8 rows in 32 seconds
        ended = {"status": "succeeded", "attempt": 1, "started_at": 1000.0, "finished_at": 1032.0}
        session.execute(
            update(Run).where(Run.job_id == job["id"], Run.purpose == "main").values(**ended)
        )
        session.execute(update(Job).where(Job.id == job["id"]).values(status="succeeded"))
    known = http.post(JOBS, params={"dry_run": "1"}, json=body).json()["estimate"]
    assert (known["slots"], known["seconds"]) == (1, pytest.approx(5 * 32))
    with database.write() as session:
        Workers(session).record_heartbeat("here:1", "here", ["cpu"] * 3)
    shared = http.post(JOBS, params={"dry_run": "1"}, json=body).json()["estimate"]
    assert (shared["slots"], shared["seconds"]) == (3, pytest.approx(5 * 32 / 3, abs=0.1))
    other_batch = {**body, "recipe": {**body["recipe"], "train_batch_size": 16}}
    twice = http.post(JOBS, params={"dry_run": "1"}, json=other_batch).json()["estimate"]
    assert twice["seconds"] == pytest.approx(2 * 5 * 32 / 3, abs=0.1)
    database.dispose()


def test_a_dry_run_with_a_webhook_stores_nothing(
    http: TestClient, file_id: str, settings: Settings
) -> None:
    """Not even the key that encrypts webhooks, which the first job with one makes."""
    assert settings.secret_key is None
    key = settings.home / "secret.key"
    key.unlink(missing_ok=True)  # of another test
    request = build_request(file_id, webhook=HOOK)
    assert http.post(JOBS, params={"dry_run": "1"}, json=request).status_code == 200
    assert not key.exists()
    bad = build_request(file_id, webhook=HOOK | {"url": "http://127.0.0.1/"})
    refused = http.post(JOBS, params={"dry_run": "1"}, json=bad)
    assert refused.json()["error"]["param"] == "webhook.url"
