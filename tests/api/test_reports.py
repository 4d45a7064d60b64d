"""The stability report over HTTP, in full, as part of a job, and as files that outlive the data."""

import re
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from api.comparisons.page import build_source
from api.dependencies import AppServices
from api.reports.page_process import Drawing
from api.reports.sections import read_section
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.session import Database
from shared.db.tables import Job, Run
from tests.api.scored_jobs import DATASET, HIGH, LOW, add_job, make_result
from tests.api.test_jobs import GIVEN, JOBS
from tests.make import review_csv
from tests.rows import RECIPE, TASK
from tests.shared.report.drawn_figures import get_png_width
from tests.shared.report.parsed_page import ParsedPage

COMPARISONS = "/v1/fine_tuning/comparisons"


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


def upload(http: TestClient, name: str, seed: int) -> str:
    files = {"file": (name, review_csv(40, seed=seed))}
    return str(http.post("/v1/files", files=files).json()["id"])


def test_the_page_names_model_task_data_seeds_and_machine(
    http: TestClient, database: Database
) -> None:
    files = {
        f"{field}_file": upload(http, f"{field}.csv", seed)
        for seed, field in enumerate(("training", "validation", "test"))
    }
    body = {"model": "tiny-bert", **files, "recipe": GIVEN, "runs": {"seeds": [3, 4, 5, 9]}}
    job = http.post(JOBS, json={**body, "task": {"max_seq_length": 32}}).json()
    assert job["object"] == "fine_tuning.job", job
    with database.write() as session:
        session.execute(
            update(Job)
            .where(Job.id == job["id"])
            .values(status="succeeded", fine_tuned_model="ft:tiny-bert:local::1a2b")
        )
        session.execute(update(Run).where(Run.job_id == job["id"]).values(device="cpu (x86)"))
    page = ParsedPage(http.get(f"{JOBS}/{job['id']}/stability.html").text)
    facts = {
        "job": job["id"],
        "base model": "tiny-bert",
        "published model": "ft:tiny-bert:local::1a2b",
        "task": "single-label classification; text from “text”; labels from “label”; "
        f"2 labels: {', '.join(job['task']['label_names'])}",
        "max_seq_length": "32 tokens (the model reads at most 64)",
        "metric": "accuracy, on the test rows",
        "seeds": "3, 4, 5, 9",
        "rows": "40 train, 40 validation, 40 test",
        "training file": "training.csv",
        "validation file": "validation.csv",
        "test file": "test.csv",
        "device": "cpu (x86)",
        "threads": str(job["threads"]),
        "precision": job["resolved_recipe"]["precision"],
    }
    assert {name: page.row(name) for name in facts} == {
        name: [value] for name, value in facts.items()
    }
    for file_id in files.values():
        assert http.delete(f"/v1/files/{file_id}").status_code == 200
    page = ParsedPage(http.get(f"{JOBS}/{job['id']}/stability.html").text)
    for name in ("training", "validation", "test"):
        [shown] = page.row(f"{name} file")
        assert re.fullmatch(rf"{name}\.csv \(deleted; SHA-256 [0-9a-f]{{64}}\)", shown)


@pytest.mark.parametrize(
    ("values", "name", "shown"),
    [
        ({"training_file": "file-gone"}, "training file", "file-gone (deleted; SHA-256 a)"),
        ({"test_file": "file-gone"}, "test file", "file-gone (deleted)"),
        ({}, "validation file", "part of the training file"),
        ({}, "published model", "–"),
        ({"resolved_recipe": None}, "precision", "–"),
        ({"model": "a-folder-that-is-gone"}, "base model", "a-folder-that-is-gone"),
        ({"created_at": 100.0, "finished_at": 3_865.0}, "time", "1 h 2 min"),
    ],
)
def test_a_page_needs_only_the_rows_of_its_job(
    database: Database, values: dict[str, Any], name: str, shown: str
) -> None:
    job_id = add_job(database, HIGH, **values)
    with database.read() as session:
        facts = read_section(session, Jobs(session).get(job_id, "local")).facts
    assert facts[name] == shown
    assert facts["seeds"] == "0 to 5"


def test_the_picture_is_a_png(http: TestClient, database: Database) -> None:
    answer = http.get(f"{JOBS}/{add_job(database, HIGH)}/stability.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert get_png_width(answer.content) > 1000
    assert http.get(f"{JOBS}/ftjob-none/stability.png").status_code == 404


def get_services(http: TestClient) -> AppServices:
    services: AppServices = cast(FastAPI, http.app).state.services
    return services


def compare(http: TestClient, *job_ids: str, **fields: Any) -> str:
    body = {"job_ids": list(job_ids), **fields}
    return str(http.post(COMPARISONS, json=body).json()["id"])


def test_a_comparison_has_a_page_and_a_picture(http: TestClient, database: Database) -> None:
    a, b = add_job(database, LOW, "conventional"), add_job(database, HIGH)
    comparison = compare(http, a, b)
    answer = http.get(f"{COMPARISONS}/{comparison}/report.html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = ParsedPage(answer.text)
    assert page.row("mean") == ["0.605", "0.705"]
    assert page.row("job") == [a, b]
    assert "stabilized is better than conventional by 0.100 accuracy" in page.text
    picture = http.get(f"{COMPARISONS}/{comparison}/report.png")
    assert picture.headers["content-type"] == "image/png"
    assert get_png_width(picture.content) > 1000
    for suffix in ("html", "png"):
        missing = http.get(f"{COMPARISONS}/ftcmp-none/report.{suffix}")
        assert (missing.status_code, missing.json()["error"]["code"]) == (
            404,
            "comparison_not_found",
        )


def read_comparison(http: TestClient, comparison_id: str) -> Drawing:
    services = get_services(http)
    source = build_source(services, comparison_id, "html")
    with services.database.read() as session:
        return source.read_drawing(session, source.read_jobs(session))


def test_a_comparison_by_another_metric_shows_that_metric(
    http: TestClient, database: Database
) -> None:
    comparison = compare(
        http, add_job(database, LOW, "conventional"), add_job(database, HIGH), metric="f1"
    )
    drawing = read_comparison(http, comparison)
    reports = [job.report for job in drawing.sections]
    assert [report.metric for report in reports] == ["f1", "f1"]
    assert [report.mean for report in reports] == pytest.approx([0.3025, 0.3525])


def test_a_comparison_outlives_its_jobs(http: TestClient, database: Database) -> None:
    jobs = add_job(database, LOW, "conventional"), add_job(database, HIGH)
    comparison = compare(http, *jobs)
    for left, job_id in enumerate(reversed(jobs)):
        drawing = read_comparison(http, comparison)
        assert [job.report.job_id for job in drawing.sections] == list(jobs[: 2 - left])
        assert http.delete(f"{JOBS}/{job_id}").status_code == 200
    address = f"{COMPARISONS}/{comparison}/report"
    text = ParsedPage(http.get(f"{address}.html").text).text
    assert "It had a mean of 0.605 ± 0.010 over 6 runs" in text
    assert "stabilized is better than conventional by 0.100 accuracy" in text
    gone = http.get(f"{address}.png")
    assert (gone.status_code, gone.json()["error"]["param"]) == (404, "comparison_id")


def test_a_job_keeps_its_file_names_and_the_limit_of_its_model(
    http: TestClient, database: Database
) -> None:
    """They outlive the files and the model, for the facts and the diagnosis of the report."""
    body = {"model": "tiny-bert", "training_file": upload(http, "a.csv", 7), "recipe": GIVEN}
    job = http.post(JOBS, json=body).json()
    assert job["dataset"]["max_positions"] == 64
    assert job["dataset"]["filenames"] == {"training_file": "a.csv"}
    older = add_job(database, HIGH, dataset=DATASET, resolved_recipe=RECIPE)
    assert "max_positions" not in http.get(f"{JOBS}/{older}").json()["dataset"]
