"""Sign-in with a key, the cookie of the session, and its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.access.key_throttle import MAX_FAILURES
from api.app import create_app
from shared.db.api_keys import ApiKeys
from shared.db.session import Database
from shared.domain.api_keys import Scope
from shared.infra.settings import Settings
from tests.api.scored_jobs import HIGH, add_job
from tests.api_settings import provide_settings
from tests.pages.forms import BROWSER, find_token, get_token, sign_in

KEY = "the-key-of-the-tests"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("sign-in")
    with provide_settings(home, model_dir, api_key=SecretStr(KEY)) as provided:
        yield provided


@pytest.fixture
def http(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


def test_a_page_asks_for_a_key_and_comes_back(http: TestClient, database: Database) -> None:
    path = f"/jobs/{add_job(database, HIGH)}/runs?sort=-score"
    asked = http.get(path, headers=BROWSER)
    assert asked.status_code == 401
    assert asked.headers["content-type"] == "text/html; charset=utf-8"
    assert f'name="next" value="{path}"' in asked.text
    form = {"csrf": find_token(asked.text), "key": KEY, "next": path}
    answer = http.post("/sign-in", data=form, headers=BROWSER, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert http.get(path, headers=BROWSER).status_code == 200


def test_the_cookie_holds_no_key_and_no_script_reads_it(http: TestClient) -> None:
    answer = sign_in(http, KEY)
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if "session" in one]
    assert KEY not in str(answer.headers)
    assert KEY not in answer.text
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_on_https_the_cookie_is_secure(settings: Settings) -> None:
    with TestClient(create_app(settings), base_url="https://testserver") as http:
        assert "Secure" in sign_in(http, KEY).headers["set-cookie"]


def test_a_wrong_key_is_refused_beside_the_field(http: TestClient) -> None:
    answer = sign_in(http, "wrong-key-of-somebody")
    assert answer.status_code == 401
    assert "The API key is wrong" in answer.text
    assert 'aria-describedby="error"' in answer.text
    assert "wrong-key-of-somebody" not in answer.text
    assert http.get("/jobs", headers=BROWSER).status_code == 401


def test_guesses_are_throttled_like_those_of_programs(http: TestClient) -> None:
    for _ in range(MAX_FAILURES):
        assert sign_in(http, "wrong").status_code == 401
    refused = sign_in(http, KEY)
    assert refused.status_code == 429
    assert "Too many requests with a wrong API key" in refused.text
    bearer = {"authorization": f"Bearer {KEY}"}
    assert http.get("/v1/fine_tuning/jobs", headers=bearer).status_code == 429


def test_signing_out_ends_the_session_in_this_browser(http: TestClient) -> None:
    sign_in(http, KEY)
    token = get_token(http)
    answer = http.post("/sign-out", data={"csrf": token}, headers=BROWSER, follow_redirects=False)
    assert answer.headers["location"] == "/sign-in"
    assert http.get("/jobs", headers=BROWSER).status_code == 401


def test_a_session_ends_with_its_key(http: TestClient, database: Database) -> None:
    with database.write() as session:
        keys = ApiKeys(session)
        key = keys.create_key("guest", Scope.READ, owner_id="local", lifetime_seconds=None).key
    assert sign_in(http, key).status_code == 303
    assert http.get("/jobs", headers=BROWSER).status_code == 200
    with database.write() as session:
        ApiKeys(session).revoke_key("guest")
    http.app.state.services.key_directory._loaded_at = float("-inf")  # type: ignore[attr-defined]
    assert http.get("/jobs", headers=BROWSER).status_code == 401


def test_the_cookie_is_worth_nothing_for_the_api(http: TestClient) -> None:
    sign_in(http, KEY)
    assert http.get("/v1/fine_tuning/jobs").status_code == 401


def test_a_changed_cookie_is_no_session(http: TestClient) -> None:
    sign_in(http, KEY)
    [name] = [name for name in http.cookies if "session" in name]
    value = http.cookies[name]
    http.cookies.clear()
    for changed in (value[:-2], value.swapcase(), "", '["browser session"]'):
        http.cookies.set(name, changed, domain="testserver.local")
        assert http.get("/jobs", headers=BROWSER).status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example/jobs", "/\\evil.example", "/v1/files", ""]
)
def test_nobody_is_sent_to_another_place(http: TestClient, path: str) -> None:
    assert sign_in(http, KEY, next_path=path).headers["location"] == "/jobs"


def test_a_form_of_another_site_changes_nothing(http: TestClient) -> None:
    sign_in(http, KEY)
    form = {"csrf": get_token(http)}
    for origin in ("https://evil.example", "null", "http://testserver:81"):
        answer = http.post("/jobs/sample", data=form, headers=BROWSER | {"origin": origin})
        assert answer.status_code == 403
        assert "another site" in answer.text


def test_a_link_on_another_site_opens_the_page_once_more(http: TestClient) -> None:
    """The browser keeps a strict cookie back then, although somebody has signed in."""
    answer = http.get("/jobs", headers=BROWSER | {"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    again = http.get("/jobs", headers=BROWSER | {"sec-fetch-site": "same-origin"})
    assert again.status_code == 401


def test_a_key_that_may_only_read_sees_no_buttons(http: TestClient, database: Database) -> None:
    job_id = add_job(database, HIGH)
    with database.write() as session:
        keys = ApiKeys(session)
        key = keys.create_key("looker", Scope.READ, owner_id="local", lifetime_seconds=None).key
    sign_in(http, key)
    page = http.get(f"/jobs/{job_id}", headers=BROWSER).text
    assert "read only" in page
    assert "/clone" not in page
    assert "/delete" not in page


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x; charset=utf-7", b"+2AA-"),
        ("multipart/form-data; boundary=x; charset=undefined", b"a"),
        ("multipart/form-data; boundary=x", b"\xff\xfe"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"csrf=%d8"),
    ],
)
def test_a_form_in_an_odd_encoding_is_refused(
    http: TestClient, content_type: str, body: bytes
) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + body + b"\r\n--x--\r\n"
    content = part if content_type.startswith("multipart") else body
    headers = {**BROWSER, "content-type": content_type}
    answer = http.post("/sign-in", content=content, headers=headers)
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize(
    "files",
    [
        [("file", ("a.csv", b"a,b\n"))] * 3,
        [(f"field-{number}", (None, b"a")) for number in range(17)],
        [("key", (None, b"a" * 65_537))],
    ],
    ids=["files", "fields", "a long field"],
)
def test_the_forms_of_pages_have_the_limits_of_the_api(http: TestClient, files: list[Any]) -> None:
    assert http.post("/sign-in", files=files, headers=BROWSER).status_code == 400
