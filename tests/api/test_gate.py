"""What stands before the routes: request ids, keys, sizes, strict JSON, one error shape."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from shared.infra.settings import Settings, refuse_open_door

JOBS = "/v1/fine_tuning/jobs"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"[1, 2]", "Input should be"),
        (b'{"training_file": NaN}', "NaN"),
        (b'{"seed": Infinity}', "Infinity"),
        (b'{"recipe": {"learning_rate": 1e999}}', "out of range"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "out of range"),
        (b"[" * 90_000, "nested"),
        (b'{"seed": 1, "seed": 2}', "twice"),
        (b'{"suffix": "a\\u0000b"}', "NUL"),
        (b'{"suffix": "\\ud800"}', "surrogate"),
        ('{"suffix": "ä"}'.encode("utf-16"), "UTF-8"),
        (b'{"suffix": "\xff"}', "UTF-8"),
        (b"", "Required"),
    ],
)
def test_bodies_that_are_no_json_of_ours(http: TestClient, body: bytes, words: str) -> None:
    answer = http.post(JOBS, content=body, headers=JSON)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_every_error_has_one_shape(http: TestClient) -> None:
    for answer, code in (
        (http.get("/nothing/here"), "route_not_found"),
        (http.put(JOBS, json={}), "method_not_allowed"),
        (http.get(f"{JOBS}?limit=0"), "invalid_request"),
        (http.get(f"{JOBS}?limit=x"), "invalid_request"),
        (http.get("/v1/files/a%00b"), "invalid_request"),
        (http.get("/v1/files?purpose=%00"), "invalid_request"),
        (http.post("/v1/files", data={"purpose": "fine-tune"}), "invalid_request"),
        (http.get("/v1/models/ft:none"), "model_not_found"),
        (http.delete("/v1/models/tiny-bert"), "model_in_use"),
    ):
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == code
        assert 400 <= answer.status_code < 500


def test_a_method_that_is_not_served_is_told_all_that_are(http: TestClient) -> None:
    for path, methods in (
        ("/v1/files", "GET, POST"),
        ("/v1/files/file-1", "DELETE, GET"),
        ("/v1/models/hub/name", "DELETE, GET"),
        (f"{JOBS}/ftjob-1/pause", "POST"),
    ):
        refused = http.patch(path)
        assert refused.status_code == 405
        assert refused.headers["allow"] == methods


def test_a_fault_of_ours_can_be_found_in_the_log(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.models.routes.ModelObject.from_base_model", None)
    broken = http.get("/v1/models", headers={"x-request-id": "mine-1"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal_error")
    assert broken.headers["x-request-id"] == "mine-1"


def test_request_ids(http: TestClient) -> None:
    assert http.get("/health").headers["x-request-id"].startswith("req_")
    assert (
        http.get("/health", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    )
    assert (
        http.get("/health", headers={"x-request-id": "a b\tc"})
        .headers["x-request-id"]
        .startswith("req_")
    )


def test_a_large_body_is_refused_before_it_is_read(http: TestClient, settings: Settings) -> None:
    answer = http.post(JOBS, content=b" " * (settings.max_request_bytes + 1), headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


def test_a_large_body_of_unknown_length_is_refused_on_the_way(
    http: TestClient, settings: Settings
) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        while sent < 20 * settings.max_request_bytes:
            sent += 10_000
            yield b" " * 10_000

    answer = http.post(JOBS, content=chunks(), headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


def test_a_large_upload_is_refused(http: TestClient, settings: Settings) -> None:
    content = b"text,label\n" + b"a good film,good\n" * (settings.max_upload_bytes // 16)
    answer = http.post("/v1/files", files={"file": ("large.csv", content)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


def test_with_a_key_every_request_needs_it(settings: Settings) -> None:
    keyed = settings.model_copy(update={"api_key": SecretStr("secret-1")})
    with TestClient(create_app(keyed)) as client:
        assert client.get("/health").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret-1"}):
            answer = client.get("/v1/models", headers=headers)
            assert (answer.status_code, answer.json()["error"]["type"]) == (
                401,
                "authentication_error",
            )
            assert "secret-1" not in answer.text
        assert (
            client.get("/v1/models", headers={"authorization": "Bearer secret-1"}).status_code
            == 200
        )


def test_a_page_of_another_site_cannot_use_the_service_through_a_browser(http: TestClient) -> None:
    for origin in ("https://elsewhere.example", "null", "http://[", ""):
        answer = http.post(f"{JOBS}/ftjob-1/cancel", headers={"origin": origin})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site_request")
    own = str(http.base_url)
    assert http.get("/v1/models", headers={"origin": own}).status_code == 200


def test_without_a_key_only_this_machine_is_served() -> None:
    assert refuse_open_door(Settings(host="127.0.0.1")) is None
    assert refuse_open_door(Settings(host="0.0.0.0", published_host="127.0.0.1")) is None
    assert "EVENKEEL_API_KEY" in str(refuse_open_door(Settings(host="0.0.0.0")))
    assert refuse_open_door(Settings(host="0.0.0.0", api_key=SecretStr("k"))) is None
