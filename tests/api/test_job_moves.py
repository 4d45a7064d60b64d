"""Cloning and deleting jobs over HTTP; cancelling, retrying and logs of single runs."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Event, Job, Metric, Model, Run
from shared.domain.errors import Reason
from shared.domain.states import JobState
from shared.infra.settings import Settings
from shared.infra.storage import Storage, build_log_key

JOBS = "/v1/fine_tuning/jobs"
REQUEST: dict[str, Any] = {
    "model": "tiny-bert",
    "seed": 7,
    "suffix": "first",
    "metadata": {"team": "films"},
    "hyperparameters": {"n_epochs": 2},
    "recipe": {"preset": "debiased", "class_weights": "balanced"},
    "runs": {"num_seeds": 2},
    "split": {"validation_fraction": 0.3},
}


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


def create_job(http: TestClient, file_id: str, **changes: Any) -> dict[str, Any]:
    answer = http.post(JOBS, json={"training_file": file_id, **REQUEST, **changes})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def list_runs(http: TestClient, job_id: str) -> list[dict[str, Any]]:
    return list(http.get(f"{JOBS}/{job_id}/runs").json()["data"])


def get_refusal(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


# clone


def test_a_clone_has_the_request_of_the_original(http: TestClient, file_id: str) -> None:
    first = create_job(http, file_id)
    second = http.post(f"{JOBS}/{first['id']}/clone").json()
    assert second["id"] != first["id"]
    copied_fields = (
        "model",
        "training_file",
        "seed",
        "suffix",
        "metadata",
        "recipe",
        "resolved_recipe",
        "split",
        "task",
        "runs",
    )
    assert {name: second[name] for name in copied_fields} == {
        name: first[name] for name in copied_fields
    }
    assert second["hyperparameters"]["n_epochs"] == 2


def test_a_given_field_replaces_the_original_one_entirely(http: TestClient, file_id: str) -> None:
    first = create_job(http, file_id)
    changes = {"recipe": {"preset": "conventional"}, "runs": {"seeds": [5]}, "metadata": None}
    second = http.post(f"{JOBS}/{first['id']}/clone", json=changes).json()
    assert (second["recipe"], second["runs"], second["metadata"]) == (
        {"preset": "conventional"},
        {"seeds": [5]},
        None,
    )
    assert second["split"]["validation_fraction"] == 0.3
    dry = http.post(f"{JOBS}/{first['id']}/clone", json={"dry_run": True}).json()
    assert dry["object"] == "fine_tuning.job.dry_run"


def test_an_invalid_clone_names_the_field(http: TestClient, file_id: str) -> None:
    job_id = create_job(http, file_id)["id"]
    for changes, expected in (
        ({"colour": 1}, (400, "invalid_request", "colour")),
        ({"recipe": {"max_steps": 9}}, (400, "invalid_value", "recipe.max_steps")),
        ({"early_discard": {"start": 4, "keep": 2}}, (400, "invalid_request", None)),
        ({"model": "nothing"}, (400, "model_not_allowed", "model")),
        ({"training_file": "file-none"}, (404, "file_not_found", "training_file")),
    ):
        assert get_refusal(http.post(f"{JOBS}/{job_id}/clone", json=changes)) == expected
    assert http.post(f"{JOBS}/ftjob-none/clone").status_code == 404


def test_a_clone_sent_again_creates_one_job_other_than_the_original(
    http: TestClient, file_id: str
) -> None:
    first = create_job(http, file_id, seed=71)
    again = {"x-stainless-retry-count": "1"}
    clone = http.post(f"{JOBS}/{first['id']}/clone", headers=again).json()["id"]
    assert clone != first["id"]
    assert http.post(f"{JOBS}/{first['id']}/clone", headers=again).json()["id"] == clone
    key = {"Idempotency-Key": f"clone-{first['id']}"}
    keyed = [http.post(f"{JOBS}/{first['id']}/clone", headers=key).json()["id"] for _ in range(2)]
    assert keyed[0] == keyed[1] != clone


# single runs


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
    assert http.post(f"{path}/retry").json()["status"] == "queued"  # sent again
    with database.write() as session:
        assert Runs(session).claim_run(first, None, "w", 60.0) is not None
    assert http.post(f"{JOBS}/{job_id}/runs/ftrun-none/cancel").status_code == 404
    assert http.post(f"{JOBS}/{job_id}/runs/{second}/retry").json()["id"] == second


def fail_job(database: Database, job_id: str) -> None:
    with database.write() as session:
        error = Reason(code="diverged", message="It diverged.", param=None)
        values = {
            "status": "failed",
            "error": error,
            "finished_at": 2000.0,
            "attempt": 3,
            "deaths": 2,
        }
        session.execute(update(Run).where(Run.job_id == job_id).values(**values))
        fence = Jobs(session).claim_to_advance(job_id, 60.0)
        assert fence is not None
        Jobs(session).finish_job(job_id, fence, JobState.FAILED, error=error)


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


# delete


def test_deleting_an_ended_job_keeps_only_its_training_files(
    http: TestClient, file_id: str, database: Database, settings: Settings
) -> None:
    job_id = create_job(http, file_id)["id"]
    assert get_refusal(http.delete(f"{JOBS}/{job_id}")) == (
        400,
        "job_not_ended",
        "fine_tuning_job_id",
    )
    fail_job(database, job_id)
    storage = Storage(settings.resolved_storage_url)
    result = http.post("/v1/files", files={"file": ("m.csv", b"text,label\na,x\nb,y\n")}).json()[
        "id"
    ]
    with database.write() as session:
        run = Runs(session).list_by_job(job_id)[0]
        session.get_one(Job, job_id).result_files = [result, "file-gone"]
        storage.put_bytes(build_log_key(run.id, 1), b"output")
        session.add(Metric(run_id=run.id, name="train_loss", step=1, value=0.5))
        for name in ("gone", "gone:seed-1"):  # the second as kept by artifacts.keep "all_runs"
            prefix = f"models/{name}"
            storage.put_bytes(f"{prefix}/config.json", b"{}")
            plain = {"owner_id": "local", "base_model": "tiny-bert", "prefix": prefix, "labels": []}
            session.add(
                Model(id=f"ft:tiny-bert:local::{name}", job_id=job_id, run_id=run.id, **plain)
            )
    answer = http.delete(f"{JOBS}/{job_id}")
    assert not [*storage.list("models/gone"), *storage.list(f"logs/{run.id}")]
    assert answer.json() == {"id": job_id, "object": "fine_tuning.job", "deleted": True}
    assert (
        http.get(f"{JOBS}/{job_id}").status_code
        == http.delete(f"{JOBS}/{job_id}").status_code
        == 404
    )
    assert http.get(f"/v1/files/{result}").status_code == 404
    assert http.get(f"/v1/files/{file_id}").status_code == 200
    with database.read() as session:
        for table, column in ((Run, Run.job_id), (Event, Event.job_id), (Model, Model.job_id)):
            assert (
                session.scalar(select(func.count()).select_from(table).where(column == job_id)) == 0
            )
        assert (
            session.scalar(select(func.count()).select_from(Metric).where(Metric.run_id == run.id))
            == 0
        )


# logs


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
