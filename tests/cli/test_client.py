"""The client against a real HTTP server that answers as told."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.client import Client
from cli.errors import BAD_INPUT, CliError

FILE = {
    "id": "file-1",
    "object": "file",
    "filename": "a.csv",
    "bytes": 3,
    "created_at": 0,
    "purpose": "fine-tune",
}
JOB: dict[str, Any] = {
    "id": "ftjob-1",
    "created_at": 0,
    "finished_at": None,
    "model": "m",
    "status": "queued",
    "training_file": "file-1",
    "fine_tuned_model": None,
    "error": None,
    "result_files": [],
    "metric": "accuracy",
    "dataset": {},
    "resolved_recipe": {"preset": "stabilized"},
    "runs_summary": dict.fromkeys(
        ("total", "queued", "running", "succeeded", "failed", "cancelled", "degenerate"), 0
    ),
    "progress": {
        "percent": 0,
        "steps_done": 0,
        "steps_total": 3,
        "seconds_remaining": None,
        "queue_position": 0,
    },
    "warnings": [],
    "a_later_versions_field": {"x": 1},
}


class Server(ThreadingHTTPServer):
    """Gives its ``answers`` one after the other, the last again and again, and keeps what was
    asked.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.server.asked.append((f"{self.command} {self.path}", headers, body))
        answers = self.server.answers
        status, extra, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(data)),
            **extra,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Not on the tests' output."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


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


def test_the_key_and_fields_of_later_versions(server: Server, client: Client) -> None:
    server.answers = [(200, {}, JOB)]
    assert client.get_job("ftjob-1").preset == "stabilized"
    asked, headers, _ = server.asked[0]
    assert (asked, headers["authorization"]) == (
        "GET /v1/fine_tuning/jobs/ftjob-1",
        "Bearer secret",
    )


def test_an_error_is_the_services_own_sentence_with_the_parameter(
    server: Server, client: Client
) -> None:
    server.answers = [(400, {}, error("Only 6 blocks.", "recipe.reinit_layers"))]
    with pytest.raises(
        CliError, match=r"^Only 6 blocks\. \(param: recipe\.reinit_layers\)$"
    ) as caught:
        client.get_job("ftjob-1")
    assert caught.value.exit_code == BAD_INPUT


def test_a_parameter_that_the_sentence_names_is_not_said_twice(
    server: Server, client: Client
) -> None:
    server.answers = [(400, {}, error("recipe.max_steps is too large.", "recipe.max_steps"))]
    with pytest.raises(CliError, match=r"^recipe\.max_steps is too large\.$"):
        client.get_job("ftjob-1")


@pytest.mark.parametrize(
    "answer", [(200, {}, b"<html>"), (404, {}, b"<html>"), (200, {}, {"id": 1}), (500, {}, [1])]
)
def test_something_else_that_answers_is_said_to_be_something_else(
    server: Server, client: Client, answer: tuple[int, dict[str, str], Any]
) -> None:
    server.answers = [answer]
    with pytest.raises(CliError, match="does not match this version of Evenkeel"):
        client.get_job("ftjob-1")


def test_nobody_there_is_said_with_the_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Client(url) as client, pytest.raises(CliError) as caught:
        client.list_jobs(20)
    assert str(caught.value) == f"No service answers at {url}. Start one with: evenkeel up"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_no_url_at_all(url: str) -> None:
    with pytest.raises(CliError, match="Example: http://127"):
        Client(url)


def test_job_creation_is_sent_again_under_one_key(server: Server, client: Client) -> None:
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


def test_a_refusal_is_not_sent_again(server: Server, client: Client) -> None:
    server.answers = [(400, {}, error("no")), (200, {}, JOB)]
    with pytest.raises(CliError, match="no"):
        client.create_job({})
    assert len(server.asked) == 1


def test_patience_waits_for_a_service_that_is_being_started(server: Server) -> None:
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


def test_content_comes_as_it_is_and_its_refusal_as_a_sentence(
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
