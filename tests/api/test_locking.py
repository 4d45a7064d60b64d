"""Requests during a worker's claim: both lock runs before the job, so that neither deadlocks."""

import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs import waiting
from shared.db.runs import Runs
from shared.db.session import Database

JOBS = "/v1/fine_tuning/jobs"
BLOCK_TIMEOUT_S = 0.5
"""Time for the request to reach the lock; a slower request makes the test pass untested."""


@pytest.mark.parametrize("action", ["cancel", "pause", "extend", "runs/{run}/cancel"])
def test_a_claim_and_a_request_do_not_deadlock(
    http: TestClient, file_id: str, database: Database, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "CANCEL_TIMEOUT_S", 0.0)  # no worker stops the run
    request = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_steps": 40, "reinit_layers": 1, "learning_rate": 6.4e-4},
    }
    job_id = http.post(JOBS, json={**request, "runs": {"num_seeds": 2}}).json()["id"]
    run_id = http.get(f"{JOBS}/{job_id}/runs").json()["data"][0]["id"]
    path = f"{JOBS}/{job_id}/{action.format(run=run_id)}"
    answers: list[Any] = []
    body = {"num_seeds": 1} if action == "extend" else None
    requester = threading.Thread(target=lambda: answers.append(http.post(path, json=body)))
    with database.write() as session:
        lease = Runs(session).claim_run(run_id, None, "w", 60.0)
        assert lease is not None
        requester.start()
        requester.join(BLOCK_TIMEOUT_S)
        Runs(session).start_job(run_id)
    requester.join(30)
    assert [answer.status_code for answer in answers] == [200], answers[0].text
