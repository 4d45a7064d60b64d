"""The queue with its workers, and usage."""

import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import Job, Run, Worker
from shared.db.workers import Workers
from shared.infra.settings import Settings
from tests.api.scored_jobs import HIGH, add_job
from tests.make import review_csv
from tests.shared.report.parsed_page import ParsedPage

HOSTILE = "<b>host</b>\u202e" + "long" * 100


@pytest.fixture(autouse=True)
def empty(database: Database) -> Iterator[None]:
    yield
    with database.write() as session:
        session.query(Job).delete()
        session.query(Worker).delete()


class TestQueue:
    def test_without_a_worker_it_says_how_to_start_one(self, http: TestClient) -> None:
        page = ParsedPage(http.get("/queue").text).text
        assert "No worker has reported" in page
        assert "evenkeel worker" in page
        assert "Nothing waits" in page

    def test_runs_and_workers_are_those_of_the_api(
        self, http: TestClient, database: Database
    ) -> None:
        job_id = add_job(database, [0.7, None], suffix="trains", status="running")
        with database.write() as session:
            Workers(session).record_heartbeat("worker@one", "one", ["cpu", "cuda:0"])
            run = session.query(Run).filter_by(job_id=job_id, index=1).one()
            run.status, run.worker, run.step, run.device = "running", "one:0", 3, "cpu"
            run.lease_until = time.time() + 60
        page = ParsedPage(http.get("/queue").text)
        [run_row] = [row for row in page.rows if row[0].startswith("trains")]
        assert run_row[1].endswith("step 3 of 10")
        assert run_row[2:] == ["one:0", "cpu"]
        [worker] = [row for row in page.rows if row[0].startswith("worker@one")]
        assert worker[1].endswith("1 of 2")
        assert worker[2] == "cpu, cuda:0"
        assert worker[-1].endswith("s ago")
        assert "No worker has reported" not in page.text

    def test_waiting_jobs_stand_in_their_order(self, http: TestClient, database: Database) -> None:
        add_job(database, [None] * 3, suffix="first", status="queued")
        add_job(database, [None] * 2, suffix="second", status="queued")
        add_job(database, HIGH, suffix="ended")
        rows = ParsedPage(http.get("/queue").text).rows[1:]
        assert [row[0].partition("ftjob-")[0] for row in rows] == ["first", "second"]
        assert [row[2:4] for row in rows] == [["3", "next"], ["2", "after 3 runs"]]

    def test_it_is_asked_again_sooner_while_something_moves(
        self, http: TestClient, database: Database
    ) -> None:
        calm = http.get("/queue").text
        add_job(database, [None], status="queued")
        busy = http.get("/queue").text
        assert 'data-poll="15"' in calm
        assert 'data-poll="3"' in busy

    def test_names_are_text(self, http: TestClient, database: Database) -> None:
        with database.write() as session:
            Workers(session).record_heartbeat(HOSTILE, HOSTILE, [HOSTILE])
        assert "<b>host" not in http.get("/queue").text


class TestUsage:
    def test_runs_of_the_period_by_model(self, http: TestClient, database: Database) -> None:
        job_id = add_job(database, HIGH, model="tiny-bert", suffix="costly")
        now = time.time()
        with database.write() as session:
            for run in session.query(Run).filter_by(job_id=job_id):
                run.started_at, run.finished_at, run.trained_tokens = now - 60, now - 30, 1000
                run.step = 10
        page = ParsedPage(http.get("/usage").text)
        assert page.row("tiny-bert") == ["1", "6", "6,000", "3 min 0 s"]
        [of_job] = [row for row in page.rows if row[0].startswith("costly")]
        assert of_job[1:] == ["tiny-bert", "6", "60", "6,000", "3 min 0 s"]
        with database.write() as session:
            for run in session.query(Run).filter_by(job_id=job_id):
                run.finished_at = now - 3 * 86_400
        assert "No run has ended" in http.get("/usage?days=1").text
        assert "No run has ended" not in http.get("/usage?days=7").text

    def test_what_takes_the_room_can_be_deleted(self, http: TestClient) -> None:
        content = review_csv(50)
        file_id = http.post("/v1/files", files={"file": ("large.csv", content)}).json()["id"]
        page = http.get("/usage").text
        assert f'href="/files/{file_id}/delete"' in page
        assert "large.csv" in ParsedPage(page).text

    def test_more_items_are_one_click_away(self, http: TestClient) -> None:
        for rows in (20, 30):
            http.post("/v1/files", files={"file": ("some.csv", review_csv(rows))})
        assert 'href="/usage?days=30&amp;items=4"' in http.get("/usage?items=1").text

    @pytest.mark.parametrize("query", ["?days=0", "?days=x", "?items=1001"])
    def test_a_wrong_address_says_what_is_wrong(self, http: TestClient, query: str) -> None:
        assert http.get(f"/usage{query}").status_code == 400


def test_usage_without_the_storage_still_shows_what_was_trained(
    http: TestClient, database: Database, settings: Settings
) -> None:
    job_id = add_job(database, HIGH, suffix="trained")
    with database.write() as session:
        for run in session.query(Run).filter_by(job_id=job_id):
            run.started_at, run.finished_at = time.time() - 60, time.time()
    http.post("/v1/files", files={"file": ("reviews.csv", review_csv(20))}).raise_for_status()
    storage = settings.home / "storage"
    away = storage.rename(settings.home / "away")
    try:
        answer = http.get("/usage")
    finally:
        away.rename(storage)
    assert answer.status_code == 200, answer.text
    page = ParsedPage(answer.text)
    assert "The folder of the storage, storage, is not there." in page.text
    assert any(row[0].startswith("trained") for row in page.rows if row)
