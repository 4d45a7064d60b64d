"""Cancelling and retrying single runs over HTTP, and their logs."""

from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_log_key
from tests.api.job_requests import JOBS, create_job, fail_job, get_refusal, list_runs


def test_a_single_run_is_cancelled_and_retried(
    http: TestClient, file_id: str, database: Database
) -> None:
    job_id = create_job(http, file_id)["id"]
    first, second = (run["id"] for run in list_runs(http, job_id))
    path = f"{JOBS}/{job_id}/runs/{first}"
    assert http.post(f"{path}/cancel").json()["status"] == "cancelled"
    assert get_refusal(http.post(f"{path}/cancel")) == (400, "run_already_ended", "run_id")
    assert [run["status"] for run in list_runs(http, job_id)] == ["cancelled", "queued"]
    assert http.get(f"{JOBS}/{job_id}").json()["status"] == "queued"
    assert http.post(f"{path}/retry").json()["status"] == "queued"
    assert http.post(f"{path}/retry").json()["status"] == "queued"  # repeated
    with database.write() as session:
        assert Runs(session).claim_run(first, None, "w", 60.0) is not None
    assert http.post(f"{JOBS}/{job_id}/runs/ftrun-none/cancel").status_code == 404
    assert http.post(f"{JOBS}/{job_id}/runs/{second}/retry").json()["id"] == second


def test_retrying_a_failed_run_reopens_its_job(
    http: TestClient, file_id: str, database: Database
) -> None:
    job_id = create_job(http, file_id)["id"]
    fail_job(database, job_id)
    run_id = list_runs(http, job_id)[1]["id"]
    run = http.post(f"{JOBS}/{job_id}/runs/{run_id}/retry").json()
    assert (run["status"], run["error"], run["finished_at"]) == ("queued", None, None)
    job = http.get(f"{JOBS}/{job_id}").json()
    assert (job["status"], job["error"], job["finished_at"]) == ("queued", None, None)
    assert [run["status"] for run in list_runs(http, job_id)] == ["failed", "queued"]


def test_a_succeeded_run_and_a_cancelled_job_cannot_be_retried(
    http: TestClient, file_id: str, database: Database
) -> None:
    job_id = create_job(http, file_id)["id"]
    run_id = list_runs(http, job_id)[0]["id"]
    with database.write() as session:
        session.execute(update(Run).where(Run.id == run_id).values(status="succeeded"))
    assert get_refusal(http.post(f"{JOBS}/{job_id}/runs/{run_id}/retry")) == (
        400,
        "run_not_retryable",
        "run_id",
    )
    http.post(f"{JOBS}/{job_id}/cancel")
    other = list_runs(http, job_id)[1]["id"]
    expected = (400, "job_not_extendable", "fine_tuning_job_id")
    assert get_refusal(http.post(f"{JOBS}/{job_id}/runs/{other}/retry")) == expected


def test_the_log_of_each_attempt_is_served(
    http: TestClient, file_id: str, database: Database, settings: Settings
) -> None:
    job_id = create_job(http, file_id)["id"]
    run_id = http.get(f"{JOBS}/{job_id}/runs").json()["data"][0]["id"]
    logs = f"{JOBS}/{job_id}/runs/{run_id}/logs"
    empty = http.get(logs)
    assert (empty.status_code, empty.text, empty.headers["content-type"]) == (
        200,
        "",
        "text/plain; charset=utf-8",
    )
    storage = Storage(settings.resolved_storage_url)
    for attempt, text in ((1, "out of memory"), (2, "trotz allem früh fertig\n")):
        storage.put_bytes(build_log_key(run_id, attempt), text.encode())
    with database.write() as session:
        Runs(session).get(job_id, run_id).attempt = 2
    assert http.get(logs).text == "trotz allem früh fertig\n"
    assert http.get(logs, params={"attempt": 1}).text == "out of memory"
    assert http.get(logs, params={"attempt": 3}).text == ""
    assert get_refusal(http.get(logs, params={"attempt": 0}))[0] == 400
    assert get_refusal(http.get(f"{JOBS}/{job_id}/runs/ftrun-none/logs"))[:2] == (
        404,
        "run_not_found",
    )
