"""Files of a refused or interrupted ``evenkeel train``: none stays without a word."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.client import Client
from cli.errors import INTERRUPTED, CliError, Interrupted
from cli.interrupts import await_job, defer_interrupt, format_command
from cli.options import DEFAULT_URL
from tests.cli.fake_service import FILE, Server, make_id
from tests.cli.fake_service import JOB as BARE
from tests.cli.runner import list_requests, run_command

Answer = tuple[int, dict[str, str], Any]
JOB_ID = make_id("ftjob", 1)
JOB: dict[str, Any] = {**BARE, "id": JOB_ID, "resolved_recipe": None}
REFUSAL: Answer = (400, {}, {"error": {"message": "No.", "param": None, "code": "c"}})
IN_USE: Answer = (
    400,
    {},
    {"error": {"message": "In use.", "param": "file_id", "code": "file_in_use"}},
)
BROKEN: Answer = (500, {}, b"not JSON")


@pytest.fixture(autouse=True)
def _catch_interrupts() -> Iterator[None]:
    """Let Ctrl-C interrupt, also where a shell's background process ignores it."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def train(server: Server, folder: Path, *options: str, answers: list[Any]) -> Any:
    (folder / "a.csv").write_text("text,label\n")
    return run_command(server, "train", str(folder / "a.csv"), *options, answers=answers)


def press_ctrl_c(monkeypatch: pytest.MonkeyPatch, name: str, *, times: int) -> None:
    """Send SIGINT while the client carries out the request, before its response is used."""
    request: Callable[..., Any] = getattr(Client, name)

    def interrupt(*arguments: Any, **named: Any) -> Any:
        answer = request(*arguments, **named)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        return answer

    monkeypatch.setattr(Client, name, interrupt)


def test_a_refused_file_deletes_the_earlier_ones(server: Server, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("x\n")
    other = ("--test-file", str(tmp_path / "b.csv"))
    done = train(server, tmp_path, *other, answers=[FILE, REFUSAL, {}])
    assert isinstance(done.exception, CliError)
    assert list_requests(server)[2:] == ["DELETE /v1/files/file-1"]


def test_unlabelled_texts_are_uploaded_and_named_in_the_request(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "more.csv").write_text("text\nx\n")
    texts = ("--unlabelled", str(tmp_path / "more.csv"), "--publish", "distilled")
    second = {**FILE, "id": "file-2"}
    done = train(server, tmp_path, *texts, "--detach", answers=[FILE, second, JOB])
    assert done.exit_code == 0, done.output
    body = json.loads(server.asked[2][2])
    assert (body["training_file"], body["unlabelled_file"]) == ("file-1", "file-2")
    assert body["artifacts"] == {"publish": "distilled"}


def test_a_file_that_cannot_be_deleted_is_named(server: Server, tmp_path: Path) -> None:
    done = train(server, tmp_path, answers=[FILE, REFUSAL, BROKEN])
    assert str(done.exception) == "No."
    assert "a.csv stays on the service as file-1: " in done.output


def test_a_created_job_keeps_its_file(server: Server, tmp_path: Path) -> None:
    done = train(server, tmp_path, "--detach", answers=[FILE, JOB])
    assert done.exit_code == 0, done.output
    assert not [line for line in list_requests(server) if line.startswith("DELETE")]


def test_a_job_whose_creation_was_not_confirmed_is_found(server: Server, tmp_path: Path) -> None:
    done = train(server, tmp_path, answers=[FILE, BROKEN, IN_USE, {"data": [JOB]}])
    assert isinstance(done.exception, CliError)
    assert f"The service has created job {JOB_ID}." in done.output
    assert f"\n  evenkeel cancel {JOB_ID} --url {server.url}\n" in done.output


def test_ctrl_c_during_an_upload_deletes_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press_ctrl_c(monkeypatch, "upload_file", times=1)
    done = train(server, tmp_path, answers=[FILE, {}])
    assert done.exit_code == INTERRUPTED
    assert list_requests(server) == ["POST /v1/files", "DELETE /v1/files/file-1"]


def test_ctrl_c_during_a_creation_names_the_job(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press_ctrl_c(monkeypatch, "create_job", times=1)
    done = train(server, tmp_path, answers=[FILE, JOB])
    assert isinstance(done.exception, Interrupted)
    assert f"\n  evenkeel show {JOB_ID} --follow --url {server.url}" in str(done.exception)
    assert len(server.asked) == 2  # the file is the job's


def test_a_second_ctrl_c_does_not_wait(server: Server) -> None:
    def never_answer() -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError

    with (
        Client(server.url) as client,
        pytest.raises(Interrupted, match="Look for it"),
    ):
        await_job(client, never_answer, unknown="Look for it.")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with defer_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize("command", ["extend", "clone"])
def test_ctrl_c_during_a_change_names_the_job(
    server: Server, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    press_ctrl_c(monkeypatch, f"{command}_job", times=1)
    options = ("--seeds", "2")
    done = run_command(server, command, JOB_ID, *options, answers=[JOB])
    assert isinstance(done.exception, Interrupted)
    assert f"evenkeel cancel {JOB_ID}" in str(done.exception)


def test_ctrl_c_while_following_names_the_commands(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    press_ctrl_c(monkeypatch, "list_runs", times=1)
    answers = [JOB, JOB, {"data": []}]
    done = run_command(server, "show", JOB_ID, "--follow", answers=answers)
    assert isinstance(done.exception, Interrupted)
    assert f"\n  evenkeel show {JOB_ID} --follow" in str(done.exception)


def test_commands_name_the_url_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENKEEL_URL", raising=False)
    with Client(DEFAULT_URL) as near, Client("http://other:1/") as far:
        assert format_command(near, "jobs") == "evenkeel jobs"
        assert format_command(far, "jobs") == "evenkeel jobs --url http://other:1"
        monkeypatch.setenv("EVENKEEL_URL", "http://other:1/")
        assert format_command(far, "jobs") == "evenkeel jobs"


def test_a_lost_service_is_the_error_of_an_upload_in_parts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation that follows cannot be sent either, and must not replace the reason."""
    upload = {"id": "upload-1", "object": "upload", "status": "pending", "bytes": 3}
    server.answers = [(200, {}, upload)]
    with Client(server.url) as client:

        def lose_service(*_: Any, **__: Any) -> None:
            raise httpx.ConnectError("refused")

        def send_part(*_: Any) -> str:
            monkeypatch.setattr(client._http, "post", lose_service)
            raise CliError("The connection was lost.")

        monkeypatch.setattr(client, "_send_part", send_part)
        with pytest.raises(CliError, match="lost"):
            client.upload_parts("m.zip", "model", 3, iter([b"abc"]))
