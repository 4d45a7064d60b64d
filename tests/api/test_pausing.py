"""Pausing and resuming jobs over HTTP.

No worker runs: the tests claim and end runs through the database, as a worker would.
"""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs import waiting
from shared.db.job_advances import JobAdvances
from shared.db.recovery import RunRecovery
from shared.db.runs import Lease, RunFlags, Runs
from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.states import RunState

JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture
def job_id(http: TestClient, file_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(waiting, "CANCEL_TIMEOUT_S", 0.0)  # no worker stops a run
    body = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_steps": 40, "reinit_layers": 1, "learning_rate": 6.4e-4},
    }
    return str(http.post(JOBS, json=body | {"runs": {"num_seeds": 2}}).json()["id"])


def post_action(http: TestClient, job_id: str, action: str) -> Any:
    return http.post(f"{JOBS}/{job_id}/{action}")


def get_states(http: TestClient, job_id: str) -> tuple[str, list[str]]:
    runs = http.get(f"{JOBS}/{job_id}/runs").json()["data"]
    return http.get(f"{JOBS}/{job_id}").json()["status"], [run["status"] for run in runs]


def claim_run(database: Database, job_id: str) -> Lease | None:
    """Claim the first claimable run of the job."""
    with database.write() as session:
        for run in [
            *Runs(session).list_by_job(job_id, purpose="baselines"),
            *Runs(session).list_by_job(job_id),
        ]:
            lease = Runs(session).claim_run(run.id, run.state, "w", 60.0)
            if lease is not None:
                Runs(session).start_job(run.id)
                return lease
    return None


def test_a_paused_job_is_not_claimed_until_it_is_resumed(
    http: TestClient, job_id: str, database: Database
) -> None:
    paused = post_action(http, job_id, "pause")
    assert (
        paused.status_code,
        paused.json()["status"],
        paused.json()["runs_summary"]["paused"],
    ) == (200, "paused", 2)
    assert (
        post_action(http, job_id, "pause").json()["status"] == "paused"
    )  # repeating has no effect
    assert claim_run(database, job_id) is None
    with database.write() as session:
        assert job_id not in JobAdvances(session).list_ready_to_advance(1000)
        assert JobAdvances(session).claim_to_advance(job_id, 60.0) is None
    resumed = post_action(http, job_id, "resume").json()
    assert (resumed["status"], resumed["runs_summary"]["queued"]) == ("queued", 2)
    assert post_action(http, job_id, "resume").json()["status"] == "queued"
    assert claim_run(database, job_id) is not None
    messages = [event["message"] for event in http.get(f"{JOBS}/{job_id}/events").json()["data"]]
    assert messages[:2] == ["The job was resumed.", "The job was paused."]


def test_a_running_run_is_paused_once_its_worker_gives_it_back(
    http: TestClient, job_id: str, database: Database
) -> None:
    claim_run(database, job_id)  # the baselines
    lease = claim_run(database, job_id)
    assert lease is not None
    post_action(http, job_id, "pause")
    assert get_states(http, job_id) == ("paused", ["running", "paused"])
    with database.write() as session:
        assert Runs(session).get_flags([lease]) == {
            lease.run_id: RunFlags(cancel=False, pause=True)
        }
        Runs(session).requeue_run(lease)
    assert get_states(http, job_id) == ("paused", ["paused", "paused"])
    assert post_action(http, job_id, "resume").json()["status"] == "running"  # a run had started
    assert get_states(http, job_id) == ("running", ["queued", "queued"])


def test_a_run_of_a_lost_worker_is_paused(
    http: TestClient, job_id: str, database: Database
) -> None:
    with database.write() as session:
        first = Runs(session).list_by_job(job_id)[0]
        lease = Runs(session).claim_run(first.id, None, "gone", -1.0)
    assert lease is not None
    post_action(http, job_id, "pause")
    with database.write() as session:
        lost_runs = RunRecovery(session).release_expired_leases()
    lost = {entry.run_id: entry.state for entry in lost_runs}
    assert lost[lease.run_id] == "paused"


def test_a_run_that_ends_before_it_pauses_stays_ended(
    http: TestClient, job_id: str, database: Database
) -> None:
    claim_run(database, job_id)
    lease = claim_run(database, job_id)
    assert lease is not None
    post_action(http, job_id, "pause")
    with database.write() as session:
        Runs(session).finish_run(
            lease, RunState.SUCCEEDED, step=40, validation_score=0.5, degenerate=False
        )
    post_action(http, job_id, "resume")
    assert get_states(http, job_id)[1] == ["succeeded", "queued"]


def test_resuming_keeps_runs_paused_for_an_early_discard(
    http: TestClient, job_id: str, database: Database
) -> None:
    claim_run(database, job_id)
    lease = claim_run(database, job_id)
    assert lease is not None
    post_action(http, job_id, "pause")
    with database.write() as session:
        Runs(session).pause_run(lease, f"runs/{lease.run_id}/1/state-10", step=10)
    post_action(http, job_id, "resume")
    assert get_states(http, job_id)[1] == ["paused", "queued"]
    with database.read() as session:
        assert session.get_one(Run, lease.run_id).pause_requested is False


def test_runs_added_to_a_paused_job_are_paused(
    http: TestClient, job_id: str, database: Database
) -> None:
    post_action(http, job_id, "pause")
    extended = http.post(f"{JOBS}/{job_id}/extend", json={"num_seeds": 1}).json()
    assert (extended["status"], extended["runs_summary"]["paused"]) == ("paused", 3)
    assert claim_run(database, job_id) is None


def test_a_cancelled_job_can_be_neither_paused_nor_resumed(http: TestClient, job_id: str) -> None:
    post_action(http, job_id, "pause")
    assert post_action(http, job_id, "cancel").json()["status"] == "cancelled"
    for action in ("pause", "resume", "cancel"):
        answer = post_action(http, job_id, action)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "job_already_ended")
    assert post_action(http, "ftjob-none", "pause").status_code == 404
