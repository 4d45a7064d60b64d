"""Every command in every kind of trouble: a sentence and the documented exit code, no traceback.

And every command on a terminal of 80 columns: no id is cut, no line ends with a blank.
"""

import errno
import fcntl
import io
import os
import pty
import re
import signal
import socket
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.errors import BAD_INPUT, CLOSED_PIPE, EXIT_CODES, INTERRUPTED, SUCCEEDED
from cli.program import run_program
from tests.cli.answering_service import JOB_ID, AnsweringService
from tests.cli.command_table import (
    CLIENT_COMMANDS,
    DATA,
    HOME,
    KEY_NAME,
    LOCAL_COMMANDS,
    LOCAL_ENDINGS,
    MODEL_FOLDER,
    NEW,
    RUNNING_COMMANDS,
    list_command_names,
)
from tests.cli.fake_service import JOB, Server

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
SENTENCE = re.compile(r"Error: [^\n]+[.?]( See: evenkeel.* --help)?( evenkeel up)?\n")
WIDTH = 80
STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
with_id = [name for name, row in CLIENT_COMMANDS.items() if row.unknown is not None]


@pytest.fixture(autouse=True)
def _ordinary_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("EVENKEEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("text,label\na,b\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    # a shell's background processes inherit an ignored SIGINT
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


@pytest.fixture
def service() -> Iterator[AnsweringService]:
    with AnsweringService() as service:
        yield service


def run(name: str, url: str, *, unknown: bool = False) -> int:
    row = CLIENT_COMMANDS[name]
    given = (row.unknown if unknown else row.arguments) or ()
    values = {DATA: "data.csv", MODEL_FOLDER: "model", NEW: "new"}
    arguments = [values.get(argument, argument) for argument in given]
    return run_program([*name.split(), *arguments, "--url", url])


def run_locally(name: str) -> int:
    """Run a command that needs no service, on a data folder with a key."""
    values = {HOME: "home", NEW: "new"}
    given = [values.get(argument, argument) for argument in LOCAL_ENDINGS[name].arguments]
    return run_program([*name.split(), *given])


@pytest.fixture
def _home(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["keys", "create", KEY_NAME, "--home", "home"]) == SUCCEEDED
    capsys.readouterr()
    monkeypatch.setenv("EVENKEEL_DATABASE_URL", "sqlite:///home/evenkeel.db")


def test_every_command_has_a_row() -> None:
    assert sorted(list_command_names()) == sorted([*CLIENT_COMMANDS, *LOCAL_COMMANDS])
    assert sorted(LOCAL_COMMANDS) == sorted([*LOCAL_ENDINGS, *RUNNING_COMMANDS])


def test_the_page_lists_every_command_and_exit_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| `evenkeel ([a-z ]+?)(?: [A-Z].*?)?` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(list_command_names())
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == list(map(str, EXIT_CODES))


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_no_service(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert run(name, url) == BAD_INPUT
    expected = f"Error: No service responds at {url}. Start one with: evenkeel up\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:x", "localhost"])
def test_a_wrong_url(name: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, url) == BAD_INPUT
    said = capsys.readouterr().err
    assert SENTENCE.fullmatch(said), said
    assert url in said


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
@pytest.mark.parametrize(
    "answer",
    [
        (200, {"content-type": "text/html"}, b"<html>"),
        (404, {"content-type": "text/html"}, b"<html>"),
        (200, {"content-encoding": "gzip"}, b"not gzip"),
        (301, {"location": "/login"}, b""),
    ],
)
def test_a_server_that_is_not_evenkeel(
    name: str, answer: Any, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [answer]
    assert run(name, server.url) == BAD_INPUT
    said = capsys.readouterr().err
    assert f"The response from {server.url} is not one of this version of Evenkeel" in said
    assert SENTENCE.fullmatch(said), said


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_a_wrong_key(
    name: str, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"message": "The API key is wrong.", "param": None, "code": "invalid_api_key"}
    server.answers = [(401, {}, {"error": error})]
    monkeypatch.setenv("EVENKEEL_API_KEY", "guess")
    assert run(name, server.url) == BAD_INPUT
    said = capsys.readouterr().err
    assert f"The service at {server.url} refuses the key in EVENKEEL_API_KEY" in said
    assert SENTENCE.fullmatch(said), said


@pytest.mark.parametrize("name", with_id)
def test_an_unknown_id(
    name: str, service: AnsweringService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, service.url, unknown=True) == BAD_INPUT
    said = capsys.readouterr().err
    assert "has an id that begins with '0123'" in said
    assert SENTENCE.fullmatch(said), said


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_ctrl_c(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    service = InterruptingService(request=1)
    assert run(name, service.url) == INTERRUPTED
    said = capsys.readouterr().err
    # a request that changes a job is waited for, and then the job goes on
    continues = (
        rf"The job continues\. .+:\n  evenkeel show {JOB_ID} .+\n  evenkeel cancel {JOB_ID} .+\n"
    )
    assert said == "Interrupted.\n" or re.fullmatch(continues, said), said
    service.end()


@pytest.mark.parametrize(
    ("arguments", "request_number"),
    [(["show", JOB_ID, "--follow"], 4), (["events", JOB_ID, "--follow"], 2)],
)
def test_ctrl_c_while_following(
    arguments: list[str], request_number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    service = InterruptingService(request=request_number, job={**JOB, "id": JOB_ID})
    assert run_program([*arguments, "--url", service.url]) == INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err
    service.end()


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_a_closed_pipe(
    name: str, service: AnsweringService, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout, open(os.devnull, "w") as stderr:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", stderr)
        code = run(name, service.url)
    assert code == (CLOSED_PIPE if CLIENT_COMMANDS[name].prints else SUCCEEDED)


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize("name", LOCAL_ENDINGS)
def test_a_closed_pipe_without_a_service(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout, open(os.devnull, "w") as stderr:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", stderr)
        code = run_locally(name)
    assert code == (CLOSED_PIPE if LOCAL_ENDINGS[name].prints else SUCCEEDED)


class FullDisk(io.StringIO):
    """A file on a full disk; ``/dev/full`` does not exist on every machine."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk(
    service: AnsweringService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", FullDisk())
    assert run("jobs", service.url) == BAD_INPUT
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_no_color(name: str, service: AnsweringService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal(monkeypatch) as terminal:
        assert run(name, service.url) == SUCCEEDED
    assert "\x1b[" not in re.sub(r"\x1b\[(\?25[hl]|\d*[AK])", "", terminal.text)
    with Terminal(monkeypatch) as terminal:
        assert run(name, "nonsense") == BAD_INPUT
    assert "\x1b[" not in terminal.text


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_a_terminal_of_80_columns(
    name: str, service: AnsweringService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Terminal(monkeypatch) as terminal:
        assert run(name, service.url) == SUCCEEDED
    require_whole_lines(terminal.text, CLIENT_COMMANDS[name].shown)


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize("name", LOCAL_ENDINGS)
def test_a_terminal_of_80_columns_without_a_service(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Terminal(monkeypatch) as terminal:
        assert run_locally(name) == SUCCEEDED
    assert "\x1b[" not in terminal.text
    require_whole_lines(terminal.text, LOCAL_ENDINGS[name].shown)


def require_whole_lines(printed: str, shown: tuple[str, ...]) -> None:
    """Check that no id is cut, no line is too long, and none ends with a blank."""
    text = STYLES.sub("", printed).replace("\r\n", "\n").replace("\r", "\n")
    for id_ in shown:
        assert id_ in text
    assert "…" not in text
    for line in text.splitlines():
        assert line == line.rstrip()
        if line.startswith("  evenkeel "):
            continue  # a command to copy is whole
        assert len(line) <= WIDTH or max(map(len, line.split(" "))) > WIDTH - 40, line


@pytest.mark.parametrize("name", [*CLIENT_COMMANDS, *LOCAL_COMMANDS, "files", "db", ""])
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program([*name.split(), "--help"]) == SUCCEEDED
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: {f'evenkeel {name}'.strip()} ")
    assert not re.search(r"<\w+>|BOOLEAN|…\]?$|None", text)
    assert all(len(line) <= WIDTH and line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("name", LOCAL_COMMANDS)
def test_a_part_of_the_service_that_cannot_start(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, variables = LOCAL_COMMANDS[name]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert run_program([*name.split(), *arguments]) == BAD_INPUT
    said = capsys.readouterr().err
    assert SENTENCE.fullmatch(said), said


@pytest.mark.parametrize("arguments", [["nonsense"], ["show"], ["jobs", "--limit", "x"]])
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(arguments) == BAD_INPUT
    assert SENTENCE.fullmatch(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["jobs", "--limit", "x"], {}, "--limit must be a whole number. See: evenkeel jobs"),
        (["jobs", "--limit", "0"], {}, "--limit must be at least 1. See: evenkeel jobs --help"),
        (["events", "last", "-n", "0"], {}, "--limit must be at least 1."),
        (["compare", "a", "b", "--alpha", "x"], {}, "--alpha must be a number."),
        (["up", "--port", "99999"], {}, "--port must be at most 65,535."),
        (["up"], {"EVENKEEL_WORKER_SLOTS": "0"}, "EVENKEEL_WORKER_SLOTS must be at least 1."),
        (["up"], {"EVENKEEL_PORT": "x"}, "EVENKEEL_PORT must be a whole number."),
        (["keys", "create", "a", "--scope", "x"], {}, "--scope: 'x' is not one of 'read',"),
    ],
)
def test_a_value_of_an_option_is_refused_in_plain_words(
    arguments: list[str],
    variables: dict[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run_program(arguments) == BAD_INPUT
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {message}")
    assert SENTENCE.fullmatch(said), said


class InterruptingService(AnsweringService):
    """Sends this process a SIGINT instead of the answer to a request, counted from 1."""

    def __init__(self, request: int, job: dict[str, Any] | None = None) -> None:
        self._remaining = request
        self._job = job
        self._ended = threading.Event()
        super().__init__()

    def choose_answer(self, method: str, path: str) -> tuple[int, dict[str, str], Any]:
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGINT)
            self._ended.wait(1)
        if self._job is not None and path.endswith(f"/{JOB_ID}"):
            return 200, {}, self._job
        return super().choose_answer(method, path)

    def end(self) -> None:
        self._ended.set()
        self.shutdown()
        self.server_close()


class Terminal:
    """A terminal of 80 columns that takes the place of stdout and stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = ""
        self._monkeypatch = monkeypatch

    def __enter__(self) -> "Terminal":
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
        self._stream = os.fdopen(theirs, "w")
        self._monkeypatch.setattr(sys, "stdout", self._stream)
        self._monkeypatch.setattr(sys, "stderr", self._stream)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        received = b""
        try:
            while chunk := os.read(self._ours, 65536):
                received += chunk
        except OSError:  # EIO: the last writer has gone
            self.text = received.decode()
