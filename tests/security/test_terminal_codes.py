"""No command prints a character that acts on the terminal, wherever a server plants it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from cli.errors import BAD_INPUT, SUCCEEDED
from cli.program import run_program
from shared.domain.visible_text import CONTROL_PATTERN
from shared.report.comparison.schemas import HypothesisTest
from tests.cli.answering_service import AnsweringService
from tests.cli.command_table import CLIENT_COMMANDS, DATA, MODEL_FOLDER, NEW
from tests.cli.fake_service import Server
from tests.cli.test_every_command import STYLES, Terminal

PLANTED = "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x08\x7f\r\u202e\u2066\u200f\u2028\ufeff"
KEPT_KEYS = {
    "id",
    "object",
    "status",
    "kind",
    "purpose",
    "type",
    "level",
    "code",
    "split",
    "severity",
}
"""Names of values that the command line compares; it asks with IDs again."""
TEST_NAMES = {*get_args(HypothesisTest.model_fields["name"].annotation), "two-sided"}
IDENTIFIER = re.compile(r"(file|ftjob|ftrun|ftcmp|upload|part|ftevent|ft)[-_:][\S]+")


def _plant(value: Any, key: str = "") -> Any:
    """Put the codes before every text of an answer."""
    if isinstance(value, dict):
        mark = PLANTED if key == "scores" else ""
        return {f"{mark}{name}": _plant(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_plant(one, key) for one in value]
    if not isinstance(value, str) or key in KEPT_KEYS or key.endswith("_at"):
        return value
    if value in TEST_NAMES:
        return value
    return value if IDENTIFIER.fullmatch(value) else f"{PLANTED}{value}"


class PlantingService(AnsweringService):
    """Answers with codes in every text that is not an ID or a state."""

    error: str | None = None

    def choose_answer(self, method: str, path: str) -> tuple[int, dict[str, str], Any]:
        if self.error is not None:
            body = {"message": self.error, "param": self.error, "code": self.error}
            return 400, {}, {"error": body}
        status, headers, answer = super().choose_answer(method, path)
        if path.endswith("/logs"):
            return status, headers, f"trainer: {PLANTED}\n".encode()
        if "stream=true" in path and isinstance(answer, bytes):
            text = answer.decode().replace("published", json.dumps(PLANTED)[1:-1])
            return status, headers, text.encode()
        return status, headers, answer if isinstance(answer, bytes) else _plant(answer)


@pytest.fixture
def service() -> Iterator[PlantingService]:
    with PlantingService() as service:
        yield service


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    (tmp_path / "data.csv").write_text("text,label\na,b\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")


def _run(name: str, url: str, *options: str) -> int:
    values = {DATA: "data.csv", MODEL_FOLDER: "model", NEW: "new"}
    arguments = [values.get(one, one) for one in CLIENT_COMMANDS[name].arguments]
    return run_program([*name.split(), *arguments, *options, "--url", url])


def _find_controls(text: str) -> list[str]:
    return CONTROL_PATTERN.findall(text.replace("\t", ""))


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_no_command_prints_a_planted_code(
    name: str, service: PlantingService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(name, service.url) == SUCCEEDED
    said = capsys.readouterr()
    assert _find_controls(said.out + said.err) == []


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_no_command_shows_a_planted_code_on_a_terminal(
    name: str, service: PlantingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Terminal(monkeypatch) as terminal:
        _run(name, service.url)
    text = STYLES.sub("", terminal.text).replace("\r\n", "\n").replace("\r", "\n")
    assert _find_controls(text) == []
    assert "\x1b[2J" not in terminal.text


@pytest.mark.parametrize("name", ["classify", "compare", "train"])
def test_json_stays_json_without_a_raw_code(
    name: str, service: PlantingService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(name, service.url, "--json") == SUCCEEDED
    out = capsys.readouterr().out
    assert _find_controls(out) == []
    assert any(text.startswith(PLANTED) for text in _iterate_texts(json.loads(out)))


def _iterate_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _iterate_texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _iterate_texts(one)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", CLIENT_COMMANDS)
def test_the_error_of_a_hostile_server_is_shown_as_code_points(
    name: str, service: PlantingService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.error = f"no {PLANTED} here"
    assert _run(name, service.url) == BAD_INPUT
    said = capsys.readouterr()
    assert _find_controls(said.out + said.err) == []
    assert "<U+001B>" in said.err


def test_names_of_this_machine_are_shown_as_code_points(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = tmp_path / "a\x1b[31m\u202e.csv"
    server.answers = [(422, {}, {"error": {"message": "no", "param": "file", "code": "x"}})]
    for arguments in (
        ["train", str(hostile), "--url", server.url],
        ["preview", str(hostile), "--url", server.url],
        ["models", "upload", str(hostile), "--url", server.url],
        ["show", "ftjob-\x1b[31m", "--url", server.url],
        ["jobs", "--\x1b[31m"],
        ["\x9b31m"],
    ):
        assert run_program(arguments) == BAD_INPUT
        said = capsys.readouterr()
        assert _find_controls(said.out + said.err) == [], arguments


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
