"""Reading jobs over HTTP: pages, unknown ids, and the report as a table and as a page."""

import csv
import io

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from shared.db.session import Database
from shared.db.tables import Metric, Run
from shared.infra.settings import Settings
from tests.api.test_jobs import GIVEN, JOBS, create


def test_jobs_are_listed_by_page_and_metadata(http: TestClient, file_id: str) -> None:
    made = [
        create(http, file_id, metadata={"batch": "pages", "n": str(n)}).json()["id"]
        for n in range(5)
    ]
    seen, after = [], None
    while True:
        query: dict[str, str | int] = {
            "limit": 2,
            "metadata[batch]": "pages",
            **({"after": after} if after else {}),
        }
        page = http.get(JOBS, params=query).json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        after = page["last_id"]
    assert seen == made[::-1]
    assert http.get(JOBS, params={"order_by": "x"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/runs",
        "/events",
        "/checkpoints",
        "/stability",
        "/runs/ftrun-x",
        "/runs/ftrun-x/metrics",
    ],
)
def test_an_unknown_job_is_not_found(http: TestClient, path: str) -> None:
    answer = http.get(f"{JOBS}/ftjob-none{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "job_not_found")


def test_a_job_without_a_worker_shows_its_queue_position(http: TestClient, file_id: str) -> None:
    job = create(http, file_id).json()
    assert job["status"] == "queued"
    assert job["progress"]["queue_position"] > 0
    report = http.get(f"{JOBS}/{job['id']}/stability").json()
    assert (report["provisional"], report["n"], report["mean"]) == (True, 0, None)
    cancelled = http.post(f"{JOBS}/{job['id']}/cancel").json()
    assert cancelled["runs_summary"]["cancelled"] == 5


def test_the_report_as_csv_has_a_row_per_run(http: TestClient, file_id: str) -> None:
    job = create(http, file_id, recipe=GIVEN, seed=3).json()
    answer = http.get(f"{JOBS}/{job['id']}/stability.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["seed"], row["status"], row["score"]) for row in table] == [
        (str(seed), "queued", "") for seed in range(3, 8)
    ]
    assert [row["run_id"] for row in table] == [
        run["id"] for run in http.get(f"{JOBS}/{job['id']}/runs").json()["data"]
    ]


def test_the_report_as_a_page_has_figures_and_no_script(
    http: TestClient, file_id: str, settings: Settings
) -> None:
    job = create(http, file_id, recipe=GIVEN, seed=3, runs={"num_seeds": 2}).json()
    database = Database(settings.resolved_database_url)
    with database.write() as session:
        for run in session.scalars(
            select(Run).where(Run.job_id == job["id"], Run.purpose == "main")
        ):
            run.status, run.step, run.validation_score = "succeeded", 4, 0.5 + run.seed / 100
            points = [
                Metric(run_id=run.id, name=name, step=4, value=0.5)
                for name in ("valid_loss", "valid_accuracy")
            ]
            session.add_all(points)
    database.dispose()
    answer = http.get(f"{JOBS}/{job['id']}/stability.html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert job["id"] in answer.text
    assert answer.text.count("<svg") >= 2  # the scores by seed, and the curves
    assert "<script" not in answer.text
    assert http.get(f"{JOBS}/ftjob-none/stability.html").status_code == 404
