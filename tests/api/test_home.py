"""GET /: the list of jobs for people, JSON for programs."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.infra.settings import Settings
from tests.pages.forms import BROWSER
from tests.shared.report.parsed_page import ParsedPage


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", "application/json, text/html;q=0.5", "text/html;q=x"],
)
def test_a_program_gets_json(http: TestClient, accept: str | None) -> None:
    answer = http.get("/", headers={} if accept is None else {"accept": accept})
    assert answer.json().keys() == {"object", "name", "version", "api", "docs", "openapi"}
    assert answer.json()["name"] == "evenkeel"
    assert http.get(answer.json()["openapi"]).json()["info"]["version"] == answer.json()["version"]


@pytest.mark.parametrize("accept", [BROWSER["accept"], "application/json"])
def test_head_has_the_headers_of_get(http: TestClient, accept: str) -> None:
    head, get = (
        http.request(method, "/", headers={"accept": accept}, follow_redirects=False)
        for method in ("HEAD", "GET")
    )
    assert head.status_code == get.status_code
    assert head.headers.get("content-type") == get.headers.get("content-type")
    assert http.post("/").status_code == 405


def test_a_forged_host_does_not_reach_the_commands(http: TestClient, settings: Settings) -> None:
    forged = BROWSER | {"host": "x;$(reboot)"}
    refused = http.get("/jobs", headers=forged)
    assert refused.status_code == 421
    every_name = settings.model_copy(update={"allowed_hosts": "*"})
    with TestClient(create_app(every_name)) as client:
        page = client.get("/jobs", headers=forged)
    assert "reboot" not in refused.text + page.text
    assert 'base_url="http://127.0.0.1:8000/v1"' in ParsedPage(page.text).text


def test_the_documentation_can_be_closed(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"api_docs": False}))
    with TestClient(app) as http:
        for path in ("/docs", "/openapi.json", "/redoc", "/static-offline-docs/swagger-ui.css"):
            assert http.get(path).status_code == 404
        assert "/docs" not in http.get("/jobs", headers=BROWSER).text
        assert "docs" not in http.get("/", headers={"accept": "application/json"}).json()
