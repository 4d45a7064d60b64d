"""The messages between a worker child and its trainer."""

import json
import subprocess
import sys

import pytest

from tests.worker.scripted_trainer import make_event_line, make_finished_line, make_training_lines
from worker.trainer.protocol import (
    PauseCommand,
    RunCommand,
    RunEventMessage,
    RunMessage,
    SpecPayload,
    StackCommand,
    StopCommand,
    is_last_message,
    parse_command,
    parse_message,
)

REASON = {"code": "nan_loss", "message": "The loss is not a number.", "param": None}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ('{"run": {"run_id": "r", "x": [1]}}', RunCommand(run=SpecPayload(run_id="r", x=[1]))),
        ('{"stack": [{"run_id": "r"}]}', StackCommand(stack=[SpecPayload(run_id="r")])),
        ('{"stop": "r"}', StopCommand(stop="r")),
        ('{"wait": "r"}', PauseCommand(wait="r")),
        (
            r'{"run": {"run_id": "r", "x": "\ud800"}}',
            RunCommand(run=SpecPayload(run_id="r", x="\ud800")),
        ),
    ],
)
def test_a_command_is_parsed_and_written_as_the_same_json(line: str, command: object) -> None:
    parsed = parse_command(line)
    assert parsed == command
    assert json.loads(json.dumps(parsed.model_dump())) == json.loads(line)


@pytest.mark.parametrize(
    "line", ["{", "[]", "7", "{}", '{"run": {}}', '{"go": "r"}', '{"stop": 1}']
)
def test_a_line_that_is_no_command_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse_command(line)


@pytest.mark.parametrize("line", [*make_training_lines(), make_finished_line()])
def test_an_event_is_parsed_and_written_as_the_same_json(line: dict[str, object]) -> None:
    message = parse_message(json.dumps(line))
    assert isinstance(message, RunEventMessage)
    written = json.loads(message.model_dump_json(exclude_unset=True))
    assert written == line


@pytest.mark.parametrize(
    ("line", "is_last"),
    [
        (make_event_line("paused", step=5, score=0.5, degenerate=False, trained_tokens=9), True),
        (make_event_line("baselines", scores={}, rows=30), True),
        (make_finished_line(), True),
        ({"run_id": "r", "failed": REASON}, True),
        ({"run_id": "r", "stopped": True}, True),
        ({"run_id": "r", "alive": True}, False),
        (make_training_lines()[1], False),
    ],
)
def test_a_run_has_one_last_message(line: dict[str, object], is_last: bool) -> None:
    message = parse_message(json.dumps(line))
    assert isinstance(message, RunMessage)
    assert is_last_message(message) == is_last


def test_the_worker_does_not_import_torch() -> None:
    program = (
        "import sys, worker.tasks, worker.trainer.protocol, worker.training.events; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
