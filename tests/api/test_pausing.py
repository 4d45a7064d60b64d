"""Pausing and resuming over HTTP, and on rows that a worker would move. No worker is there: claims are made by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs import waiting
from shared.db.jobs import Jobs
from shared.db.runs import Hold, Runs, Wish
from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.states import RunState
from shared.infra.settings import Settings

JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


@pytest.fixture
def job_id(http: TestClient, file_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(waiting, "CANCEL_TIMEOUT_S", 0.0)  # no worker stops a run
    body = {
        "training_file": file_id,
        "model": "tiny-bert",
        "recipe": {"max_steps": 40, "reinit_layers": 1},
    }
    return str(http.post(JOBS, json=body | {"runs": {"num_seeds": 2}}).json()["id"])


def move(http: TestClient, job_id: str, what: str) -> Any:
    return http.post(f"{JOBS}/{job_id}/{what}")


def states(http: TestClient, job_id: str) -> tuple[str, list[str]]:
    runs = http.get(f"{JOBS}/{job_id}/runs").json()["data"]
    return http.get(f"{JOBS}/{job_id}").json()["status"], [run["status"] for run in runs]


def claim(database: Database, job_id: str) -> Hold | None:
    """Of this job's runs alone."""
    with database.write() as session:
        for run in [
            *Runs(session).of_job(job_id, purpose="baselines"),
            *Runs(session).of_job(job_id),
        ]:
            hold = Runs(session).take(run.id, run.state, "w", 60.0)
            if hold is not None:
                Runs(session).job_started(run.id)
                return hold
    return None


def test_a_paused_job_is_left_alone_and_goes_on(
    http: TestClient, job_id: str, database: Database
) -> None:
    paused = move(http, job_id, "pause")
    assert (
        paused.status_code,
        paused.json()["status"],
        paused.json()["runs_summary"]["paused"],
    ) == (200, "paused", 2)
    assert move(http, job_id, "pause").json()["status"] == "paused"  # sent again
    assert claim(database, job_id) is None
    with database.write() as session:
        assert job_id not in Jobs(session).to_advance(1000)
        assert Jobs(session).claim_to_advance(job_id, 60.0) is None
    resumed = move(http, job_id, "resume").json()
    assert (resumed["status"], resumed["runs_summary"]["queued"]) == ("queued", 2)
    assert move(http, job_id, "resume").json()["status"] == "queued"
    assert claim(database, job_id) is not None
    messages = [event["message"] for event in http.get(f"{JOBS}/{job_id}/events").json()["data"]]
    assert messages[:2] == ["The job was resumed.", "The job was paused."]


def test_a_run_in_training_is_told_and_waits_once_it_is_given_back(
    http: TestClient, job_id: str, database: Database
) -> None:
    claim(database, job_id)  # the baselines
    hold = claim(database, job_id)
    assert hold is not None
    move(http, job_id, "pause")
    assert states(http, job_id) == ("paused", ["running", "paused"])
    with database.write() as session:
        assert Runs(session).wishes([hold]) == {hold.run_id: Wish(cancel=False, pause=True)}
        Runs(session).give_back(hold)
    assert states(http, job_id) == ("paused", ["paused", "paused"])
    assert move(http, job_id, "resume").json()["status"] == "running"  # it had started
    assert states(http, job_id) == ("running", ["queued", "queued"])


def test_a_lost_worker_s_run_waits_too(http: TestClient, job_id: str, database: Database) -> None:
    with database.write() as session:
        first = Runs(session).of_job(job_id)[0]
        hold = Runs(session).take(first.id, None, "gone", -1.0)
    assert hold is not None
    move(http, job_id, "pause")
    with database.write() as session:
        lost = {entry.run_id: entry.state for entry in Runs(session).take_back_expired()}
    assert lost[hold.run_id] == "paused"


def test_a_run_that_ends_on_the_way_to_its_pause_has_ended(
    http: TestClient, job_id: str, database: Database
) -> None:
    claim(database, job_id)
    hold = claim(database, job_id)
    assert hold is not None
    move(http, job_id, "pause")
    with database.write() as session:
        Runs(session).end(hold, RunState.SUCCEEDED, step=40, validation_score=0.5, degenerate=False)
    move(http, job_id, "resume")
    assert states(http, job_id)[1] == ["succeeded", "queued"]


def test_what_waits_for_the_discard_is_not_moved_by_a_resume(
    http: TestClient, job_id: str, database: Database
) -> None:
    claim(database, job_id)
    hold = claim(database, job_id)
    assert hold is not None
    move(http, job_id, "pause")
    with database.write() as session:
        Runs(session).pause(hold, f"runs/{hold.run_id}/1/state-10", step=10)
    move(http, job_id, "resume")
    assert states(http, job_id)[1] == ["paused", "queued"]
    with database.read() as session:
        assert session.get_one(Run, hold.run_id).pause_requested is False


def test_runs_added_to_a_paused_job_wait_with_the_others(
    http: TestClient, job_id: str, database: Database
) -> None:
    move(http, job_id, "pause")
    extended = http.post(f"{JOBS}/{job_id}/extend", json={"num_seeds": 1}).json()
    assert (extended["status"], extended["runs_summary"]["paused"]) == ("paused", 3)
    assert claim(database, job_id) is None


def test_a_paused_job_is_cancelled_at_once_and_then_neither_paused_nor_resumed(
    http: TestClient, job_id: str
) -> None:
    move(http, job_id, "pause")
    assert move(http, job_id, "cancel").json()["status"] == "cancelled"
    for what in ("pause", "resume", "cancel"):
        answer = move(http, job_id, what)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "job_already_ended")
    assert move(http, "ftjob-none", "pause").status_code == 404
