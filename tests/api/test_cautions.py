"""Every caution of a job reaches every reader: planted through files, settings and runs, and read
where people look.
"""

import html
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.console import Console, RenderableType
from sqlalchemy import update

from cli.api_models import Comparison, DryRun
from cli.compare import format_comparison
from cli.previews import format_dry_run
from cli.tables import format_report
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Run
from shared.report import StabilityReport
from shared.report.builder import build_full_report
from tests.api.job_requests import JOBS
from tests.api.test_tasks_and_splits import upload
from tests.make import csv_bytes
from worker.jobs.model_card import render_model_card

TRAINING = csv_bytes(
    [
        *((f"text number {row}", "ab"[row % 2]) for row in range(30)),
        ("said twice", "a"),
        ("said twice", "b"),
        ("rare", "c"),
        ("rare too", "c"),
        ("odd \ufffd", " a"),
        ("in capitals", "A"),
    ]
).replace(b"\r\n", b"\r\n\r\n", 3)
VALIDATION = csv_bytes([(f"text number {row}", "ab"[row % 2]) for row in range(100, 106)])
REQUEST: dict[str, Any] = {"model": "tiny-bert", "hyperparameters": {"n_epochs": 2}}
PLANNED = {
    "leakage",
    "label_not_in_validation",
    "conflicting_duplicates",
    "replacement_characters",
    "label_blanks",
    "blank_lines",
    "label_case_collision",
    "few_rows_of_label",
    "small_validation_set",
    "small_test_set",
    "pilots_on_few_rows",
    "n_epochs_taken_at_its_word",
}
"""What is known before training: twelve kinds of cautions."""
FOUND = {
    "pilots_degenerate",
    "truncated_texts",
    "zero_spread",
    "failed_runs",
    "small_evaluation_set",
}
"""What workers and the report add."""


class Readers:
    """What each reader of a job is shown, as plain text."""

    def __init__(self, texts: dict[str, str], cautions: list[dict[str, str]]) -> None:
        self.texts = texts
        self.cautions = cautions


@pytest.fixture(scope="module")
def plan(http: TestClient) -> dict[str, Any]:
    """The dry run of the job, and the request behind it."""
    training = upload(http, TRAINING)["id"]
    files = {"training_file": training, "test_file": training}
    files["validation_file"] = upload(http, VALIDATION)["id"]
    request = {**REQUEST, **files}
    return {"request": request, "plan": http.post(f"{JOBS}?dry_run=true", json=request).json()}


@pytest.fixture(scope="module")
def readers(http: TestClient, database: Database, plan: dict[str, Any]) -> Readers:
    request = plan["request"]
    job_id = http.post(JOBS, json=request).json()["id"]
    other = http.post(JOBS, json={**request, "recipe": {"preset": "debiased"}}).json()["id"]
    for one in (job_id, other):
        _end_runs(database, one)
    report = http.get(f"{JOBS}/{job_id}/stability").json()
    compared = http.post("/v1/fine_tuning/comparisons", json={"job_ids": [job_id, other]}).json()
    page = http.get(f"{JOBS}/{job_id}/stability.html").text
    screen = http.get(f"/jobs/{job_id}", headers={"accept": "text/html"}).text
    compared_page = http.get(f"/v1/fine_tuning/comparisons/{compared['id']}/report.html").text
    return Readers(
        {
            "report": _list_messages(report["warnings"]),
            "job": _list_messages(http.get(f"{JOBS}/{job_id}").json()["warnings"]),
            "page": html.unescape(page),
            "screen": html.unescape(screen),
            "comparison page": html.unescape(compared_page),
            "card": _render_card(database, job_id),
            "comparison": _list_messages(compared["warnings"]),
            "printed report": _print(format_report(StabilityReport.model_validate(report))),
            "printed comparison": _print(format_comparison(Comparison.model_validate(compared))),
        },
        report["warnings"],
    )


@pytest.mark.parametrize("code", sorted(PLANNED | FOUND))
def test_every_reader_sees_the_caution(readers: Readers, code: str) -> None:
    messages = {one["message"] for one in readers.cautions if one["code"] == code}
    assert messages  # one for each file that has the finding
    for message in messages:
        assert [place for place, text in readers.texts.items() if message not in text] == []


@pytest.mark.parametrize("code", sorted(PLANNED))
def test_a_dry_run_shows_what_is_known_before_training(plan: dict[str, Any], code: str) -> None:
    dry_run = plan["plan"]
    messages = {one["message"] for one in dry_run["warnings"] if one["code"] == code}
    printed = _print(format_dry_run(DryRun.model_validate(dry_run)))
    assert messages
    assert [message for message in messages if message not in printed] == []


def test_leakage_comes_first_and_before_the_score(readers: Readers) -> None:
    first = readers.cautions[0]
    assert (first["code"], first["severity"]) == ("leakage", "high")
    severities = [one["severity"] for one in readers.cautions]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)
    for place in ("page", "card", "printed report", "printed comparison"):
        text = readers.texts[place]
        assert 0 <= text.index(first["message"]) < text.index("0.750"), place


def _end_runs(database: Database, job_id: str) -> None:
    """End the job's runs, one failed and the others with one score; add a worker's warnings."""
    with database.write() as session:
        first, *rest = Runs(session).list_by_job(job_id)
        ended = update(Run).where(Run.id.in_([run.id for run in rest]))
        values = {"status": "succeeded", "degenerate": False}
        session.execute(ended.values(**values, validation_score=0.75, test_score=0.75))
        session.execute(update(Run).where(Run.id == first.id).values(status="failed"))
        jobs = Jobs(session)
        jobs.add_warning(job_id, "pilots_degenerate", "No pilot learned anything.")
        jobs.add_warning(job_id, "truncated_texts", "3 of 35 texts were truncated.")


def _list_messages(warnings: list[dict[str, str]]) -> str:
    return "\n".join(warning["message"] for warning in warnings)


def _render_card(database: Database, job_id: str) -> str:
    with database.read() as session:
        job = Jobs(session).get(job_id, "local")
        runs = Runs(session).list_by_job(job_id, with_results=True)
        report = build_full_report(session, job, runs)
        return render_model_card("ft:tiny-bert:local::x", job, report, runs[1])


def _print(renderable: RenderableType) -> str:
    stream = io.StringIO()
    Console(file=stream, width=1000).print(renderable)
    return stream.getvalue()
