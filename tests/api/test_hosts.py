"""Under which names the service answers, with and without a key."""

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.websockets import WebSocketDisconnect

from api.app import create_app
from shared.infra.settings import Settings

LOOPBACK = [
    "localhost",
    "localhost:8000",
    "LOCALHOST.",
    "localhost.:80",
    "127.0.0.1:8000",
    "127.5.0.1",
    "[::1]",
    "[::1]:8000",
    "[::ffff:127.0.0.1]:1",
    "[0:0:0:0:0:0:0:1]",
]
OTHERS = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example#127.0.0.1",
    "localhost@evil.example",
    "127.0.0.1:80:evil",
    "127.0.0.1:8000x",
    "10.0.0.1",
    "[2001:db8::1]",
    "2130706433",
    "",
    "localhost,evil.example",
]


def get_status(settings: Settings, host: str, path: str = "/v1/models") -> tuple[int, str]:
    client = TestClient(create_app(settings), raise_server_exceptions=False)
    response = client.get(path, headers={"host": host})
    return response.status_code, response.text


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/nothing"])
def test_keyless_loopback_answers_under_loopback_names_only(path: str) -> None:
    settings = Settings(api_key=None)
    for host in LOOPBACK:
        assert get_status(settings, host, path)[0] in (200, 404), host
    for host in OTHERS:
        status, text = get_status(settings, host, path)
        assert (status, "EVENKEEL_ALLOWED_HOSTS" in text) == (421, True), host


def test_own_and_configured_names_are_allowed() -> None:
    settings = Settings(
        host="0.0.0.0", published_host="127.0.0.1", allowed_hosts="Box.lan, [fd00::1]"
    )
    for host in ("box.lan", "BOX.LAN.:8000", "[fd00::1]:8000", "localhost"):
        assert get_status(settings, host, "/health")[0] == 200
    assert get_status(settings, "other.lan", "/health")[0] == 421


def test_several_host_headers_are_refused() -> None:
    client = TestClient(create_app(Settings(api_key=None)))
    response = client.get("/health", headers=[("host", "localhost"), ("host", "evil.example")])
    assert response.status_code == 421


def test_a_key_makes_names_unnecessary_unless_some_are_given() -> None:
    keyed = Settings(host="0.0.0.0", api_key=SecretStr("a-key-of-the-tests"))
    assert get_status(keyed, "any.example", "/health")[0] == 200
    named = keyed.model_copy(update={"allowed_hosts": "box.lan"})
    assert get_status(named, "any.example", "/health")[0] == 421
    assert get_status(named, "box.lan", "/health")[0] == 200
    every = Settings(api_key=None, allowed_hosts="*")
    assert get_status(every, "any.example", "/health")[0] == 200


def test_websockets_are_refused() -> None:
    client = TestClient(create_app(Settings(api_key=None)), base_url="http://localhost")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/models"):
        pass


@pytest.mark.parametrize("names", ["a b", "http://x", "x:80", "*.lan"])
def test_a_setting_that_is_no_host_name_is_refused(names: str) -> None:
    with pytest.raises(ValueError, match="host names"):
        Settings(allowed_hosts=names)
