"""The stored files: list, upload, profile, download, and what prevents a deletion."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.db.session import Database
from tests.api.scored_jobs import HIGH, add_job
from tests.make import review_csv
from tests.pages.forms import find_token
from tests.shared.report.parsed_page import ParsedPage

HOSTILE = "<i>name" + "n" * 200 + ".csv"


def upload(http: TestClient, content: bytes, filename: str, purpose: str = "fine-tune") -> Any:
    form = {"csrf": find_token(http.get("/files").text), "purpose": purpose}
    files = {"file": (filename, content)}
    return http.post("/files", data=form, files=files, follow_redirects=False)


def get_id(answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).removeprefix("/files/")


@pytest.fixture(scope="module")
def file_id(http: TestClient) -> str:
    return get_id(upload(http, review_csv(40), "reviews.csv"))


def list_names(http: TestClient, query: str = "") -> list[str]:
    page = ParsedPage(http.get(f"/files{query}").text)
    return [row[0].partition("file-")[0].strip() for row in page.rows[1:]]


class TestList:
    def test_an_empty_list_says_what_a_file_is_for(self, http: TestClient) -> None:
        assert "No file fits" in http.get("/files?purpose=fine-tune-results").text

    @pytest.mark.usefixtures("file_id")
    def test_filter_and_order_are_in_the_address(self, http: TestClient) -> None:
        other = http.post(
            "/v1/files",
            files={"file": ("other.csv", review_csv(20))},
            data={"purpose": "user_data"},
        ).json()["id"]
        assert list_names(http, "?purpose=user_data") == ["other.csv"]
        newest, oldest = list_names(http), list_names(http, "?sort=created")
        assert newest == oldest[::-1]
        assert http.get(f"/files?after={other}").status_code == 200
        assert http.get("/files?purpose=odd").status_code == 400

    @pytest.mark.usefixtures("file_id")
    def test_long_lists_have_pages(self, http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        upload(http, review_csv(24), "newer.csv")
        monkeypatch.setattr("api.pages.files.routes.PAGE_SIZE", 1)
        page = ParsedPage(http.get("/files?purpose=fine-tune").text)
        [further] = [attrs["href"] for tag, attrs in page.elements if attrs.get("rel") == "next"]
        following = http.get(str(further)).text
        assert "First page" in following
        assert "newer.csv" in page.text
        assert "newer.csv" not in following


class TestUpload:
    def test_what_is_no_table_is_refused_beside_the_field(self, http: TestClient) -> None:
        answer = upload(http, b"\xff\xfe\x00\x01", "a.csv")
        assert answer.status_code in (415, 422)
        assert 'aria-describedby="error about-file"' in answer.text

    def test_a_model_must_be_an_archive(self, http: TestClient) -> None:
        answer = upload(http, b"no archive", "model.zip", "model")
        assert 400 <= answer.status_code < 500
        assert 'role="alert"' in answer.text

    def test_another_purpose_is_refused(self, http: TestClient) -> None:
        assert upload(http, review_csv(40), "a.csv", "fine-tune-results").status_code == 400


class TestFile:
    def test_it_has_its_profile_and_its_jobs(
        self, http: TestClient, database: Database, file_id: str
    ) -> None:
        add_job(database, HIGH, training_file=file_id, suffix="reads it")
        add_job(database, HIGH, model=file_id, suffix="starts from it")
        add_job(database, HIGH, suffix="neither")
        page = ParsedPage(http.get(f"/files/{file_id}").text)
        assert page.row("good")[-1] == "20"
        assert "reads it" in page.text
        assert "starts from it" in page.text
        assert "neither" not in page.text
        listed = ParsedPage(http.get(f"/jobs?file={file_id}").text).text
        assert "reads it" in listed
        assert "neither" not in listed

    def test_a_download_is_the_file(self, http: TestClient, file_id: str) -> None:
        answer = http.get(f"/files/{file_id}/content")
        same = http.get(f"/v1/files/{file_id}/content")
        assert answer.content == same.content == review_csv(40)
        assert answer.headers["content-disposition"] == same.headers["content-disposition"]
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_names_are_text(self, http: TestClient) -> None:
        hostile = get_id(upload(http, review_csv(40), HOSTILE))
        for path in ("/files", f"/files/{hostile}", f"/files/{hostile}/delete", "/usage"):
            assert "<i>" not in http.get(path).text


class TestDeletion:
    def test_the_jobs_that_need_it_prevent_it(self, http: TestClient, database: Database) -> None:
        used = get_id(upload(http, review_csv(40), "used.csv"))
        add_job(database, [None], training_file=used, status="running", suffix="needs it")
        page = http.get(f"/files/{used}/delete").text
        assert "1 open job needs it" in ParsedPage(page).text
        assert "needs it" in page
        assert "<form" not in page.partition("<main")[2].partition("</main>")[0]
        form = {"csrf": find_token(http.get("/files").text)}
        answer = http.post(f"/files/{used}/delete", data=form)
        assert answer.status_code == 400
        assert "cannot be deleted while job" in answer.text
        assert http.get(f"/files/{used}").status_code == 200

    def test_it_is_asked_once(self, http: TestClient) -> None:
        doomed = get_id(upload(http, review_csv(40), "doomed.csv"))
        form = {"csrf": find_token(http.get(f"/files/{doomed}/delete").text)}
        answer = http.post(f"/files/{doomed}/delete", data=form, follow_redirects=False)
        assert answer.headers["location"] == "/files"
        assert http.get(f"/v1/files/{doomed}").status_code == 404
