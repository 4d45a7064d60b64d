"""GET /: a page for people, JSON for programs, nothing of the jobs without the key."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from shared.db.session import Database
from shared.infra.settings import Settings
from tests.api.scored_jobs import HIGH, add_job
from tests.shared.report.parsed_page import ParsedPage

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
KEY = "a-key-of-the-tests"


@pytest.fixture
def http_with_key(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"api_key": SecretStr(KEY)}))) as client:
        yield client


def list_links(html: str) -> list[str]:
    return [str(attrs["href"]) for tag, attrs in ParsedPage(html).elements if tag == "a"]


def test_a_browser_gets_a_page_whose_links_work(http: TestClient, database: Database) -> None:
    job_id = add_job(database, HIGH, suffix="<b>bold</b>")
    answer = http.get("/", headers={"accept": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["vary"] == "accept"
    links = list_links(answer.text)
    assert f"/v1/fine_tuning/jobs/{job_id}/stability.html" in links
    assert {"/docs", "/openapi.json"} <= set(links)
    assert [http.get(link).status_code for link in links[:4]] == [200] * 4
    assert "<b>" not in answer.text
    assert "<script" not in answer.text
    assert 'base_url="http://testserver/v1"' in ParsedPage(answer.text).text


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", "application/json, text/html;q=0.5", "text/html;q=x"],
)
def test_a_program_gets_json(http: TestClient, accept: str | None) -> None:
    answer = http.get("/", headers={} if accept is None else {"accept": accept})
    assert answer.json().keys() == {"object", "name", "version", "api", "docs", "openapi"}
    assert answer.json()["name"] == "evenkeel"
    assert http.get(answer.json()["openapi"]).json()["info"]["version"] == answer.json()["version"]


@pytest.mark.parametrize("accept", [BROWSER, "application/json"])
def test_head_has_the_headers_of_get(http: TestClient, accept: str) -> None:
    head, get = (
        http.request(method, "/", headers={"accept": accept}) for method in ("HEAD", "GET")
    )
    assert head.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]
    assert http.post("/").status_code == 405


def test_without_the_key_no_job_is_shown(
    http_with_key: TestClient, http: TestClient, database: Database
) -> None:
    job_id = add_job(database, HIGH)
    page = http_with_key.get("/", headers={"accept": BROWSER})
    assert page.status_code == 200
    assert "An API key protects the jobs." in page.text
    assert job_id in http.get("/", headers={"accept": BROWSER}).text
    assert job_id not in page.text
    assert KEY not in page.text
    authorized = {"accept": BROWSER, "authorization": f"Bearer {KEY}"}
    assert job_id not in http_with_key.get("/", headers=authorized).text


def test_a_forged_host_does_not_reach_the_commands(http: TestClient, settings: Settings) -> None:
    forged = {"accept": BROWSER, "host": "x;$(reboot)"}
    refused = http.get("/", headers=forged)
    assert refused.status_code == 421
    every_name = settings.model_copy(update={"allowed_hosts": "*"})
    with TestClient(create_app(every_name)) as client:
        page = client.get("/", headers=forged)
    assert "reboot" not in refused.text + page.text
    assert "http://127.0.0.1:8000/v1" in page.text


def test_the_documentation_can_be_closed(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"api_docs": False}))
    with TestClient(app) as http:
        for path in ("/docs", "/openapi.json", "/redoc", "/static-offline-docs/swagger-ui.css"):
            assert http.get(path).status_code == 404
        assert "/docs" not in http.get("/", headers={"accept": BROWSER}).text
        assert "docs" not in http.get("/", headers={"accept": "application/json"}).json()
