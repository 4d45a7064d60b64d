"""Request guard: request ids, access, body sizes, strict JSON, and the shape of errors."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from shared.infra.settings import Settings, describe_missing_key

JOBS = "/v1/fine_tuning/jobs"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "expected_text"),
    [
        (b"{", "not valid JSON"),
        (b"[1, 2]", "must be an object"),
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
        (b"", "required"),
    ],
)
def test_a_body_of_invalid_json_is_refused(
    http: TestClient, body: bytes, expected_text: str
) -> None:
    response = http.post(JOBS, content=body, headers=JSON)
    assert response.status_code == 400
    assert expected_text in response.json()["error"]["message"]


def test_every_error_has_the_same_shape(http: TestClient) -> None:
    for response, code in (
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
        error = response.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == code
        assert 400 <= response.status_code < 500


def test_an_unsupported_method_lists_the_allowed_ones(http: TestClient) -> None:
    for path, methods in (
        ("/v1/files", "GET, POST"),
        ("/v1/files/file-1", "DELETE, GET"),
        ("/v1/models/hub/name", "DELETE, GET"),
        (f"{JOBS}/ftjob-1/pause", "POST"),
    ):
        response = http.patch(path)
        assert response.status_code == 405
        assert response.headers["allow"] == methods


def test_an_internal_error_keeps_its_request_id(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.models.listing.ModelObject.from_start", None)
    response = http.get("/v1/models", headers={"x-request-id": "mine-1"})
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert response.headers["x-request-id"] == "mine-1"


def test_a_request_id_is_kept_or_created(http: TestClient) -> None:
    assert http.get("/health").headers["x-request-id"].startswith("req_")
    assert (
        http.get("/health", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    )
    assert (
        http.get("/health", headers={"x-request-id": "a b\tc"})
        .headers["x-request-id"]
        .startswith("req_")
    )


def test_a_body_of_too_large_declared_length_is_refused(
    http: TestClient, settings: Settings
) -> None:
    response = http.post(JOBS, content=b" " * (settings.max_request_bytes + 1), headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "payload_too_large")


def test_a_too_large_body_of_unknown_length_is_refused(
    http: TestClient, settings: Settings
) -> None:
    sent_bytes = 0

    def iterate_chunks() -> Iterator[bytes]:
        nonlocal sent_bytes
        while sent_bytes < 20 * settings.max_request_bytes:
            sent_bytes += 10_000
            yield b" " * 10_000

    response = http.post(JOBS, content=iterate_chunks(), headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "payload_too_large")


def test_a_too_large_upload_is_refused(http: TestClient, settings: Settings) -> None:
    content = b"text,label\n" + b"a good film,good\n" * (settings.max_upload_bytes // 16)
    response = http.post("/v1/files", files={"file": ("large.csv", content)})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "payload_too_large")


def test_a_service_with_a_key_requires_it(settings: Settings) -> None:
    keyed = settings.model_copy(update={"api_key": SecretStr("a-secret-of-the-tests")})
    with TestClient(create_app(keyed)) as client:
        assert client.get("/health").status_code == 200
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "a-secret-of-the-tests"},
        ):
            response = client.get("/v1/models", headers=headers)
            assert (response.status_code, response.json()["error"]["type"]) == (
                401,
                "authentication_error",
            )
            assert "a-secret-of-the-tests" not in response.text
        assert (
            client.get(
                "/v1/models", headers={"authorization": "Bearer a-secret-of-the-tests"}
            ).status_code
            == 200
        )


def test_a_request_of_another_site_s_page_is_refused(http: TestClient) -> None:
    for origin in ("https://elsewhere.example", "null", "http://[", ""):
        response = http.post(f"{JOBS}/ftjob-1/cancel", headers={"origin": origin})
        assert (response.status_code, response.json()["error"]["code"]) == (
            403,
            "cross_site_request",
        )
    own_origin = str(http.base_url)
    assert http.get("/v1/models", headers={"origin": own_origin}).status_code == 200


def test_a_public_address_requires_a_key() -> None:
    def describe(*, has_keys: bool = False, **values: object) -> str | None:
        return describe_missing_key(Settings.model_validate(values), lambda: has_keys)

    assert describe(host="127.0.0.1") is None
    assert describe(host="0.0.0.0", published_host="127.0.0.1") is None
    assert "evenkeel keys create" in str(describe(host="0.0.0.0"))
    assert describe(host="0.0.0.0", api_key="a-secret-of-the-tests") is None
    assert describe(host="0.0.0.0", has_keys=True) is None
