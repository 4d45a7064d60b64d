"""The client against a real HTTP server that gives prepared answers."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client
from cli.errors import BAD_INPUT, CliError
from tests.cli.fake_service import FILE, JOB, Server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, "secret") as client:
        yield client


def error(message: str, param: str | None = None) -> dict[str, Any]:
    return {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": "invalid_value",
        }
    }


def test_sends_the_key_and_ignores_unknown_fields(server: Server, client: Client) -> None:
    server.answers = [(200, {}, JOB)]
    assert client.get_job("ftjob-1").preset == "stabilized"
    asked, headers, _ = server.asked[0]
    assert (asked, headers["authorization"]) == (
        "GET /v1/fine_tuning/jobs/ftjob-1",
        "Bearer secret",
    )


def test_an_error_shows_the_services_message_and_parameter(server: Server, client: Client) -> None:
    server.answers = [(400, {}, error("Only 6 blocks.", "recipe.reinit_layers"))]
    with pytest.raises(
        CliError, match=r"^Only 6 blocks\. \(param: recipe\.reinit_layers\)$"
    ) as caught:
        client.get_job("ftjob-1")
    assert caught.value.exit_code == BAD_INPUT


def test_a_parameter_named_in_the_message_is_not_repeated(server: Server, client: Client) -> None:
    server.answers = [(400, {}, error("recipe.max_steps is too large.", "recipe.max_steps"))]
    with pytest.raises(CliError, match=r"^recipe\.max_steps is too large\.$"):
        client.get_job("ftjob-1")


@pytest.mark.parametrize(
    "answer", [(200, {}, b"<html>"), (404, {}, b"<html>"), (200, {}, {"id": 1}), (500, {}, [1])]
)
def test_reports_a_server_that_is_not_the_service(
    server: Server, client: Client, answer: tuple[int, dict[str, str], Any]
) -> None:
    server.answers = [answer]
    with pytest.raises(CliError, match="is not one of this version of Evenkeel"):
        client.get_job("ftjob-1")


def test_reports_an_unreachable_service_and_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Client(url) as client, pytest.raises(CliError) as caught:
        client.list_jobs(20)
    assert str(caught.value) == f"No service responds at {url}. Start one with: evenkeel up"


def test_a_missing_remote_service_is_not_to_be_started_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Client("http://evenkeel.invalid/v1/") as client, pytest.raises(CliError) as caught:
        client.list_jobs(20)
    assert str(caught.value) == (
        "No service responds at http://evenkeel.invalid. Check --url or EVENKEEL_URL, and that "
        "the service is running there."
    )


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_refuses_an_invalid_url(url: str) -> None:
    with pytest.raises(CliError, match="Example: http://127"):
        Client(url)


def test_job_creation_is_retried_with_one_key(server: Server, client: Client) -> None:
    server.answers = [
        (503, {}, error("busy")),
        (409, {"x-should-retry": "true"}, error("busy")),
        (200, {}, JOB),
    ]
    assert client.create_job({"training_file": "file-1"}).id == "ftjob-1"
    assert len(server.asked) == 3
    assert len({headers["idempotency-key"] for _, headers, _ in server.asked}) == 1
    assert {body for _, _, body in server.asked} == {b'{"training_file":"file-1"}'}


def test_two_creations_have_two_keys(server: Server, client: Client) -> None:
    server.answers = [(200, {}, JOB)]
    client.create_job({})
    client.create_job({})
    assert len({headers["idempotency-key"] for _, headers, _ in server.asked}) == 2


def test_a_rejected_request_is_not_retried(server: Server, client: Client) -> None:
    server.answers = [(400, {}, error("no")), (200, {}, JOB)]
    with pytest.raises(CliError, match="no"):
        client.create_job({})
    assert len(server.asked) == 1


def test_waits_for_a_service_that_is_starting(server: Server) -> None:
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    later: list[Server] = []

    def start() -> None:
        time.sleep(0.7)
        later.append(Server(port))
        later[0].answers = [(200, {}, JOB)]

    threading.Thread(target=start).start()
    with Client(f"http://127.0.0.1:{port}", retry_timeout_s=60) as client:
        assert client.get_job("ftjob-1").id == "ftjob-1"
    later[0].shutdown()
    later[0].server_close()


def test_an_upload_streams_the_file_under_its_name(
    server: Server, client: Client, tmp_path: Path
) -> None:
    server.answers = [(200, {}, FILE)]
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text,label\n" + b"x" * 3_000_000)
    assert client.upload_file(path).id == "file-1"
    asked, headers, body = server.asked[0]
    assert asked == "POST /v1/files"
    assert headers["content-type"].startswith("multipart/form-data")
    assert b'name="file"; filename="rows.csv"' in body
    assert path.read_bytes() in body
    assert b'name="purpose"\r\n\r\nfine-tune' in body


def test_file_content_is_unchanged_and_its_error_has_a_message(
    server: Server, client: Client
) -> None:
    server.answers = [
        (200, {"content-type": "application/octet-stream"}, b"\0\1" * 1000),
        (404, {}, error("Gone.")),
    ]
    with client.stream_file_content("file-1") as chunks:
        assert b"".join(chunks) == b"\0\1" * 1000
    with pytest.raises(CliError, match="Gone"), client.stream_file_content("file-1"):
        pass


def test_ids_are_quoted(server: Server, client: Client) -> None:
    server.answers = [(404, {}, error("No such job."))]
    with pytest.raises(CliError, match="No such job"):
        client.get_job("../files?x=1")
    assert server.asked[0][0] == "GET /v1/fine_tuning/jobs/..%2Ffiles%3Fx%3D1"
