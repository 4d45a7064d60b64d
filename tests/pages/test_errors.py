"""Errors of pages in words, and of the API as before."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.infra.settings import Settings
from tests.pages.forms import BROWSER
from tests.shared.report.parsed_page import ParsedPage


@pytest.mark.parametrize("path", ["/jobs/ftjob-none", "/nothing", "/jobs/a/b/c/d", "/assets/0/a"])
def test_what_does_not_exist_is_said_on_a_page(http: TestClient, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Not found" in ParsedPage(answer.text).text
    assert answer.headers["x-request-id"]


def test_programs_get_the_error_object(http: TestClient) -> None:
    for path in ("/jobs/ftjob-none", "/nothing", "/v1/files/none"):
        answer = http.get(path, headers={"accept": "*/*"})
        assert answer.status_code == 404
        assert answer.json()["error"]["message"]
    browser = http.get("/v1/files/none", headers=BROWSER)
    assert browser.json()["error"]["code"] == "file_not_found"


def test_a_refused_name_of_the_host_is_a_page_too(http: TestClient) -> None:
    answer = http.get("/jobs", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert "does not answer under the name" in ParsedPage(answer.text).text
    assert "slots" not in answer.text


def test_an_unexpected_error_names_the_request(settings: Settings) -> None:
    app = create_app(settings)

    @app.get("/broken")
    def break_down() -> None:
        raise RuntimeError("secret detail")

    with TestClient(app, raise_server_exceptions=False) as http:
        answer = http.get("/broken", headers=BROWSER)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.headers["x-request-id"] in ParsedPage(answer.text).text
