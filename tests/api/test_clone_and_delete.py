"""Cloning and deleting jobs over HTTP."""

from fastapi.testclient import TestClient
from sqlalchemy import func, select

from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Event, Job, Metric, Model, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_log_key
from tests.api.job_requests import JOBS, create_job, fail_job, get_refusal


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
