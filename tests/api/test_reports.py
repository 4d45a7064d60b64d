"""The stability report over HTTP, in full and as part of a job."""

from fastapi.testclient import TestClient
from sqlalchemy import select

from shared.db.metrics import Metrics, Point
from shared.db.session import Database
from shared.db.tables import Run
from tests.api.scored_jobs import HIGH, add_job, make_result
from tests.rows import TASK


def test_a_job_has_the_report_without_its_details(http: TestClient, database: Database) -> None:
    """Details are computed for the report only, because lists of jobs must stay cheap."""
    job_id = add_job(
        database,
        HIGH,
        resolved_recipe=None,
        task=TASK.model_copy(update={"label_names": ["no", "yes"]}),
    )
    with database.write() as session:
        for run in session.scalars(select(Run).where(Run.job_id == job_id)):
            run.result = make_result({}, confusion=[[4, 1], [0, 5]])
            points = [
                Point("valid_accuracy", 5, 0.5 + run.index / 100),
                Point("valid_loss", 5, 0.1),
            ]
            Metrics(session).insert_points(run.id, points)
    report = http.get(f"/v1/fine_tuning/jobs/{job_id}/stability").json()
    assert len(report["best_of_n"]["curve"]) == 6
    assert [
        (point["step"], point["n"], point["max"]) for point in report["learning_curve"]["points"]
    ] == [(5, 6, 0.55)]
    assert [(label["label"], label["recall"]["mean"]) for label in report["per_class"]] == [
        ("no", 0.8),
        ("yes", 1.0),
    ]
    assert report["variance"]["components"] is None
    assert "grid of both" in report["variance"]["reason"]
    summary = http.get(f"/v1/fine_tuning/jobs/{job_id}").json()["stability"]
    assert summary["mean"] == report["mean"]
    assert (
        not {"best_of_n", "learning_curve", "per_class", "variance", "runs", "pilots"}
        & summary.keys()
    )
