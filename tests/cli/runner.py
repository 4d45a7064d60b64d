"""Running a command in this process against a fake service."""

from typing import Any

from typer.testing import CliRunner, Result

from cli.program import app
from tests.cli.fake_service import Server


def run_command(server: Server, *arguments: str, answers: list[Any], given: str = "") -> Result:
    """Run a command; the service gives the answers in order, ``given`` is the user's input."""
    server.answers = [
        answer if isinstance(answer, tuple) else (200, {}, answer) for answer in answers
    ]
    return CliRunner().invoke(app, [*arguments, "--url", server.url], input=given)


def list_requests(server: Server) -> list[str]:
    """Return the method and path of each request so far."""
    return [line for line, _, _ in server.asked]
