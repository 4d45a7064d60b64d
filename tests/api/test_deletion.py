"""Deleting jobs over HTTP."""

from fastapi.testclient import TestClient
from sqlalchemy import func, select

from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Event, Job, Metric, Model, Run
from shared.infra.settings import Settings
from shared.infra.storage import Storage, build_log_key
from tests.api.job_requests import JOBS, create_job, fail_job, get_refusal


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
