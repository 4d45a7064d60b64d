"""The page of a job without a browser: head, tabs, figures, and what one can do."""

from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from shared.db.events import Events
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.report.figures import DARK, LIGHT
from tests.api.scored_jobs import HIGH, add_job
from tests.pages.forms import find_token
from tests.shared.report.parsed_page import ParsedPage


@pytest.fixture
def job_id(database: Database) -> str:
    return add_job(database, HIGH, suffix="reviews", model="tiny-bert")


def send(http: TestClient, path: str, **form: str) -> tuple[int, str]:
    """Send a form of the job's page; return the status, and where it leads."""
    page = http.get("/new")  # every form of a session has the same token
    answer = http.post(path, data={"csrf": find_token(page.text), **form}, follow_redirects=False)
    return answer.status_code, answer.headers.get("location", answer.text)


def test_the_verdict_comes_before_the_numbers(http: TestClient, job_id: str) -> None:
    page = http.get(f"/jobs/{job_id}").text
    text = ParsedPage(page).text
    assert text.index("The seeds agree") < text.index("Report") < text.index("The distribution")
    assert page.count("<progress") == len(HIGH)


def test_each_tab_has_an_address(http: TestClient, job_id: str, database: Database) -> None:
    with database.write() as session:
        Events(session).add(session.get_one(Job, job_id), "A <b>message</b>.", level="warn")
    events = http.get(f"/jobs/{job_id}/events").text
    assert "A &lt;b&gt;message&lt;/b&gt;." in events
    runs = ParsedPage(http.get(f"/jobs/{job_id}/runs?sort=-score").text).rows
    assert [row[4] for row in runs[1:]] == [f"{score:.3f}" for score in sorted(HIGH)[::-1]]
    report = ParsedPage(http.get(f"/jobs/{job_id}").text)
    assert report.row("mean") == ["0.705"]


def test_the_tables_of_the_report_are_those_of_the_api(http: TestClient, job_id: str) -> None:
    own = ParsedPage(http.get(f"/jobs/{job_id}").text)
    report = ParsedPage(http.get(f"/v1/fine_tuning/jobs/{job_id}/stability.html").text)
    for name in ("standard deviation", "lowest", "95% interval of the mean (Student's t)"):
        assert own.row(name) == report.row(name)


def test_a_figure_has_the_colors_of_its_theme(http: TestClient, job_id: str) -> None:
    for theme, palette, other in (("light", LIGHT, DARK), ("dark", DARK, LIGHT)):
        answer = http.get(f"/jobs/{job_id}/figures/scores/0/{theme}.svg")
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert ElementTree.fromstring(answer.text).tag.endswith("svg")
        assert palette.good in answer.text
        assert other.good not in answer.text
        assert "var(" not in answer.text
    assert http.get(f"/jobs/{job_id}/figures/scores/1/light.svg").status_code == 404
    assert http.get(f"/jobs/{job_id}/figures/nothing/0/light.svg").status_code == 400


def test_every_picture_of_the_report_exists(http: TestClient, job_id: str) -> None:
    page = ParsedPage(http.get(f"/jobs/{job_id}").text)
    pictures = [str(attrs["src"]) for tag, attrs in page.elements if tag == "img"]
    assert len(pictures) >= 2
    assert all(attrs["alt"] for tag, attrs in page.elements if tag == "img")
    assert {http.get(picture).status_code for picture in pictures} == {200}


def test_an_open_job_is_paused_resumed_and_cancelled(http: TestClient, database: Database) -> None:
    job_id = add_job(database, [0.7, None], status="running")
    path = f"/jobs/{job_id}"
    assert send(http, f"{path}/pause") == (303, path)
    assert "Resume" in http.get(path).text
    assert send(http, f"{path}/resume") == (303, path)
    asked = http.get(f"{path}/cancel").text
    assert "Cancel the job?" in asked
    assert send(http, f"{path}/cancel") == (303, path)
    with database.read() as session:
        assert session.get_one(Job, job_id).status == "cancelled"
    status, text = send(http, f"{path}/cancel")
    assert status == 400
    assert "has already ended" in text


def test_a_job_is_deleted_after_one_question(
    http: TestClient, job_id: str, database: Database
) -> None:
    asked = http.get(f"/jobs/{job_id}/delete").text
    assert "Delete the job?" in asked
    with database.read() as session:
        assert session.get(Job, job_id) is not None
    assert send(http, f"/jobs/{job_id}/delete") == (303, "/jobs")
    with database.read() as session:
        assert session.get(Job, job_id) is None
    assert "Not found" in http.get(f"/jobs/{job_id}").text


def test_seeds_are_added_once_however_often_the_button_is_pressed(
    http: TestClient, database: Database
) -> None:
    file = http.post("/v1/files", files={"file": ("a.csv", _make_table())}).json()["id"]
    request = {"model": "tiny-bert", "training_file": file, "runs": {"num_seeds": 2}}
    request["recipe"] = {"preset": "debiased", "max_steps": 4, "num_train_epochs": None}
    created = http.post("/v1/fine_tuning/jobs", json=request)
    assert created.status_code == 200, created.text
    path = f"/jobs/{created.json()['id']}"
    for _ in range(2):
        assert send(http, f"{path}/extend", num_seeds="3", once="a1") == (303, path)
    with database.read() as session:
        runs = session.query(Run).filter_by(job_id=created.json()["id"], purpose="main").count()
        assert runs == 5
    status, text = send(http, f"{path}/extend", num_seeds="0", once="c4")
    assert status == 400
    assert "num_seeds must be a whole number from 1 to 200" in text


def _make_table() -> bytes:
    rows = [f"text number {index},{'ab'[index % 2]}" for index in range(40)]
    return "\n".join(["text,label", *rows]).encode()


def test_a_log_says_when_there_will_be_one(
    http: TestClient, job_id: str, database: Database
) -> None:
    with database.read() as session:
        run_id = session.query(Run).filter_by(job_id=job_id, index=2).one().id
    page = http.get(f"/jobs/{job_id}/runs/{run_id}/log").text
    assert "Log of seed 2" in page
    assert "There is none yet" in page


def test_the_stream_continues_after_the_last_event(
    http: TestClient, job_id: str, database: Database
) -> None:
    with database.write() as session:
        for number in range(3):
            Events(session).add(session.get_one(Job, job_id), f"event {number}")
    path = f"/jobs/{job_id}/stream"
    whole = http.get(path).text
    assert [f"event {number}" in whole for number in range(3)] == [True] * 3
    assert "event: done" in whole
    second = [line[4:] for line in whole.splitlines() if line.startswith("id: ")][1]
    for rest in (
        http.get(path, params={"after": second}).text,
        http.get(path, headers={"last-event-id": second}).text,
    ):
        assert "event 1" not in rest
        assert "event 2" in rest
