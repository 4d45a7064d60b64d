"""The queue, its workers, and usage over HTTP."""

from fastapi.testclient import TestClient
from sqlalchemy import update

from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Run, Worker
from shared.db.workers import Workers

JOBS = "/v1/fine_tuning/jobs"


def create_job(http: TestClient, file_id: str, seeds: int) -> str:
    body = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_steps": 40, "reinit_layers": 1, "learning_rate": 6.4e-4},
    }
    return str(http.post(JOBS, json={**body, "runs": {"num_seeds": seeds}}).json()["id"])


def test_the_queue_shows_runs_and_workers(
    http: TestClient, file_id: str, database: Database
) -> None:
    empty = http.get("/v1/queue").json()
    assert (empty["object"], empty["depth"], empty["running"], empty["workers"]) == (
        "queue",
        0,
        [],
        [],
    )
    job_id = create_job(http, file_id, 3)
    with database.write() as session:
        first = Runs(session).list_by_job(job_id)[0]
        assert Runs(session).claim_run(first.id, None, "alpha:17", 60.0) is not None
        workers = Workers(session)
        workers.record_heartbeat("alpha:1", "alpha", ["cuda:0", "cuda:1"])
        workers.record_heartbeat("beta:1", "beta", ["cpu"])
        workers.record_heartbeat("gone:1", "gone", ["cpu"])
    with database.write() as session:
        session.execute(
            update(Worker).where(Worker.name == "gone:1").values(last_beat=Worker.last_beat - 61)
        )
        Workers(session).record_heartbeat("alpha:1", "alpha", ["cuda:0"])  # its second heartbeat
    queue = http.get("/v1/queue").json()
    assert (queue["depth"], queue["paused"]) == (3, 0)  # two seeds and the baselines
    assert isinstance(queue["messages"], int)
    assert [(run["run_id"], run["worker"], run["total_steps"]) for run in queue["running"]] == [
        (first.id, "alpha:17", 40)
    ]
    assert [
        (worker["name"], worker["slots"], worker["busy"], worker["devices"])
        for worker in queue["workers"]
    ] == [
        ("alpha:1", 1, 1, ["cuda:0"]),
        ("beta:1", 1, 0, ["cpu"]),
    ]
    http.post(f"{JOBS}/{job_id}/pause")
    assert http.get("/v1/queue").json()["depth"] == 0


def test_usage_counts_the_runs_that_ended_in_the_period(
    http: TestClient, file_id: str, database: Database
) -> None:
    job_id = create_job(http, file_id, 2)
    with database.write() as session:
        ended = {"started_at": 1000.0, "trained_tokens": 700}
        for run, finished_at in zip(
            Runs(session).list_by_job(job_id), (1010.0, 1500.0), strict=True
        ):
            session.execute(
                update(Run).where(Run.id == run.id).values(finished_at=finished_at, **ended)
            )
    both = http.get("/v1/usage", params={"start_time": 1000, "end_time": 1501}).json()
    assert (both["runs"], both["trained_tokens"], both["seconds"]) == (2, 1400, 510.0)
    assert both["data"] == [
        {"model": "tiny-bert", "jobs": 1, "runs": 2, "trained_tokens": 1400, "seconds": 510.0}
    ]
    first = http.get("/v1/usage", params={"start_time": 1000, "end_time": 1500}).json()
    assert (first["runs"], first["seconds"]) == (1, 10.0)
    assert http.get("/v1/usage").json()["files"] >= 1
    refused = http.get("/v1/usage", params={"start_time": 5, "end_time": 5})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "start_time")
