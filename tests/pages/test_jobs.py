"""The list of jobs: what it shows, its filters and order in the URL, and the first visit."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from shared.db.tables import File, Job
from tests.api.scored_jobs import HIGH, LOW, add_job
from tests.pages.forms import BROWSER, find_token
from tests.shared.report.parsed_page import ParsedPage

HOSTILE = "<script>alert(1)</script>\u202ecod"


@pytest.fixture
def empty(database: Database) -> None:
    with database.write() as session:
        session.query(Job).delete()


def list_names(http: TestClient, query: str = "") -> list[str]:
    """List the names of the shown jobs."""
    page = ParsedPage(http.get(f"/jobs{query}").text)
    names = [next(filter(None, row)) for row in page.rows[1:]]  # the first cell may have a box
    return [name.split("ftjob-")[0].strip() or name for name in names]


@pytest.mark.usefixtures("empty")
class TestEmpty:
    def test_the_first_visit_is_shown_what_to_do(self, http: TestClient) -> None:
        page = http.get("/jobs").text
        assert "There is no job yet" in page
        assert 'action="/jobs/sample"' in page
        assert 'base_url="http://testserver/v1"' in ParsedPage(page).text

    def test_one_click_makes_the_sample_and_a_job(
        self, http: TestClient, database: Database
    ) -> None:
        page = http.get("/jobs").text
        once = page.partition('name="once" value="')[2].partition('"')[0]
        form = {"csrf": find_token(page), "once": once}
        answers = [http.post("/jobs/sample", data=form, follow_redirects=False) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 303], answers[0].text
        assert answers[0].headers["location"] == answers[1].headers["location"]
        with database.read() as session:
            job = session.query(Job).one()
            assert job.suffix == "sample"
            assert session.query(File).filter_by(id=job.training_file).count() == 1
        shown = http.get(answers[0].headers["location"])
        assert shown.status_code == 200
        assert "sample" in shown.text

    def test_the_sample_is_stored_once_however_often_it_is_asked_for(
        self, http: TestClient, database: Database
    ) -> None:
        def send_form(number: int) -> str:
            form = {"csrf": token, "once": f"click{number}"}
            return http.post("/jobs/sample", data=form, follow_redirects=False).headers["location"]

        token = find_token(http.get("/jobs").text)
        with ThreadPoolExecutor(4) as pool:
            locations = [*pool.map(send_form, range(4)), send_form(4)]
        assert len(set(locations)) == 5
        with database.read() as session:
            jobs = session.query(Job).all()
            assert len(jobs) == 5
            [file_id] = {job.training_file for job in jobs}
            assert file_id is not None
            content = session.query(File).filter_by(id=file_id).one().sha256
            assert session.query(File).filter_by(sha256=content).count() == 1

    def test_a_row_has_the_numbers_of_the_report(
        self, http: TestClient, database: Database
    ) -> None:
        add_job(database, HIGH, suffix="high", model="tiny-bert")
        [_, row] = ParsedPage(http.get("/jobs").text).rows
        name, model, verdict, mean, degenerate, state, elapsed, _created = row
        assert name.startswith("high ftjob-") or name.startswith("highftjob-")
        assert (model, verdict) == ("tiny-bertstabilized", "stable")
        assert mean == "0.705 ± 0.010 (6)"
        assert (degenerate, state, elapsed) == ("0", "succeeded", "–")

    def test_equal_scores_are_shown_without_a_spread_of_zero(
        self, http: TestClient, database: Database
    ) -> None:
        job_id = add_job(database, [0.7] * 5, suffix="equal")
        assert "0.700 all equal (5)" in ParsedPage(http.get("/jobs").text).rows[1]
        page = ParsedPage(http.get(f"/jobs/{job_id}").text).text
        assert "0.700 in every run" in page
        assert "± 0.000" not in page

    def test_filters_and_order_are_in_the_url(self, http: TestClient, database: Database) -> None:
        add_job(database, HIGH, suffix="beta", model="one")
        add_job(database, LOW, suffix="Alpha", model="two", status="failed")
        add_job(database, [None], suffix="gamma 100%", model="two", status="running")
        assert list_names(http) == ["gamma 100%", "Alpha", "beta"]
        assert list_names(http, "?sort=created") == ["beta", "Alpha", "gamma 100%"]
        assert list_names(http, "?sort=name") == ["Alpha", "beta", "gamma 100%"]
        assert list_names(http, "?sort=-name") == ["gamma 100%", "beta", "Alpha"]
        assert list_names(http, "?state=open") == ["gamma 100%"]
        assert list_names(http, "?state=failed") == ["Alpha"]
        assert list_names(http, "?model=two&sort=name") == ["Alpha", "gamma 100%"]
        assert list_names(http, "?q=ALPHA") == ["Alpha"]
        assert list_names(http, "?q=100%25") == ["gamma 100%"]
        assert "No job fits these filters" in http.get("/jobs?q=nowhere").text

    def test_long_lists_have_pages(self, http: TestClient, database: Database) -> None:
        for number in range(51):
            add_job(database, [], suffix=f"job {number:02}")
        assert len(list_names(http, "?sort=name")) == 50
        first = http.get("/jobs?sort=name&state=succeeded").text
        assert 'href="/jobs?state=succeeded&amp;sort=name&amp;page=2"' in first
        assert list_names(http, "?sort=name&page=2") == ["job 50"]
        assert "There is no job yet" not in http.get("/jobs?page=3").text

    def test_names_are_text(self, http: TestClient, database: Database) -> None:
        job_id = add_job(database, HIGH, suffix=HOSTILE)
        for path in ("/jobs", f"/jobs/{job_id}", f"/jobs/{job_id}/delete", f"/jobs?q={HOSTILE}"):
            page = http.get(path)
            assert page.status_code == 200
            assert "<script>alert" not in page.text


@pytest.mark.parametrize("query", ["?state=odd", "?sort=mean", "?page=0", f"?q={'x' * 201}"])
def test_a_wrong_address_says_what_is_wrong(http: TestClient, query: str) -> None:
    answer = http.get(f"/jobs{query}")
    assert answer.status_code == 400
    assert query[1:].partition("=")[0] in ParsedPage(answer.text).text


def test_a_page_without_news_is_not_sent_again(http: TestClient, database: Database) -> None:
    add_job(database, HIGH)
    etag = http.get("/jobs?sort=name").headers["etag"]
    again = http.get("/jobs?sort=name", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    add_job(database, LOW)
    changed = http.get("/jobs?sort=name", headers={"if-none-match": etag})
    assert changed.status_code == 200


def test_the_root_leads_browsers_to_the_list(http: TestClient) -> None:
    answer = http.get("/", headers=BROWSER, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    assert answer.headers["vary"] == "accept"
