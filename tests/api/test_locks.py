"""What is asked of a job while a worker is in the middle of claiming a run of it: the two wait for each other in one order."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs import waiting
from shared.db.runs import Runs
from shared.db.session import Database
from shared.infra.settings import Settings

JOBS = "/v1/fine_tuning/jobs"
LONG_ENOUGH_S = 0.5
"""For a request to come to where it waits for the claim; where it comes later there is nothing to see, and the test passes."""


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


@pytest.mark.parametrize("asked", ["cancel", "pause", "extend", "runs/{run}/cancel"])
def test_a_claim_and_a_request_do_not_lock_each_other_out(
    http: TestClient, file_id: str, database: Database, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "CANCEL_TIMEOUT_S", 0.0)  # no worker stops the run
    request = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_steps": 40, "reinit_layers": 1},
    }
    job_id = http.post(JOBS, json={**request, "runs": {"num_seeds": 2}}).json()["id"]
    run_id = http.get(f"{JOBS}/{job_id}/runs").json()["data"][0]["id"]
    path = f"{JOBS}/{job_id}/{asked.format(run=run_id)}"
    answers: list[Any] = []
    body = {"num_seeds": 1} if asked == "extend" else None
    asking = threading.Thread(target=lambda: answers.append(http.post(path, json=body)))
    with database.write() as session:
        hold = Runs(session).take(run_id, None, "w", 60.0)
        assert hold is not None
        asking.start()
        asking.join(LONG_ENOUGH_S)
        Runs(session).job_started(run_id)
    asking.join(30)
    assert [answer.status_code for answer in answers] == [200], answers[0].text
