"""The messages between a worker child and its trainer: one line of JSON each.

The parent writes commands to the trainer's standard input, in order:
    {"run": RunSpec}          train this run after those before it
    {"stack": [RunSpec, …]}   train these runs together; they differ in their seeds only
    {"baselines": DataSpec}   score a job's baselines, as a run with an id
    {"stop": run_id}          stop that run, or do not start it
    {"wait": run_id}          pause a run that is trained alone after its next step
The end of the input stops all runs and ends the trainer.

The trainer answers on its standard output:
    {"ready": {"torch": …, "transformers": …, "instruction_set": …}}   once, after its start
    {"run_id": …, "event": Event}
    {"run_id": …, "alive": true}     from time to time, as a sign of life between events
and exactly one last message for each run, possibly while others of its stack continue:
    {"run_id": …, "event": Event of type "finished", "paused" or "baselines"}
    {"run_id": …, "failed": {"code", "message", "param"}}
    {"run_id": …, "stopped": true}

Both processes import this module, so it must not import torch.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from shared.domain.errors import Reason
from worker.training.events import BaselinesScored, Finished, Paused, RunEvent

DISK_ERROR_CODE = "disk_error"
"""Of a failure of the machine, not of the run: its local folders are gone or read-only."""
DISK_FULL_CODE = "disk_full"
"""The same for a full disk, whose end the run waits for."""

NOT_ENOUGH_MEMORY_CODE = "not_enough_memory"
"""The same for memory, which another machine may have."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SpecPayload(BaseModel):
    """The fields of a RunSpec or DataSpec, of which only ``run_id`` has been checked.

    The trainer validates the rest when it starts the run, so that a spec of another version fails
    its own run with a reason.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    run_id: str


class RunCommand(_Message):
    run: SpecPayload


class StackCommand(_Message):
    stack: list[SpecPayload]


class BaselinesCommand(_Message):
    baselines: SpecPayload


class StopCommand(_Message):
    stop: str
    """ID of the run."""


class PauseCommand(_Message):
    wait: str
    """ID of the run."""


class TrainerReady(_Message):
    ready: dict[str, str]
    """Versions of torch and transformers, and the instruction set."""


class RunEventMessage(_Message):
    run_id: str
    event: Annotated[RunEvent | BaselinesScored, Field(discriminator="type")]


class RunAlive(_Message):
    run_id: str
    alive: Literal[True] = True


class RunFailed(_Message):
    run_id: str
    failed: Reason


class RunStopped(_Message):
    run_id: str
    stopped: Literal[True] = True


def _find_key(keys: Sequence[str]) -> Callable[[object], str | None]:
    """Build a discriminator that tells messages apart by which of ``keys`` they have."""

    def find_key(message: object) -> str | None:
        if isinstance(message, dict):
            return next((key for key in keys if key in message), None)
        return next((key for key in keys if hasattr(message, key)), None)

    return find_key


WorkCommand = RunCommand | StackCommand | BaselinesCommand
TrainerCommand = Annotated[
    Annotated[RunCommand, Tag("run")]
    | Annotated[StackCommand, Tag("stack")]
    | Annotated[BaselinesCommand, Tag("baselines")]
    | Annotated[StopCommand, Tag("stop")]
    | Annotated[PauseCommand, Tag("wait")],
    Discriminator(_find_key(("run", "stack", "baselines", "stop", "wait"))),
]
RunMessage = RunEventMessage | RunAlive | RunFailed | RunStopped
TrainerMessage = Annotated[
    Annotated[TrainerReady, Tag("ready")]
    | Annotated[RunEventMessage, Tag("event")]
    | Annotated[RunAlive, Tag("alive")]
    | Annotated[RunFailed, Tag("failed")]
    | Annotated[RunStopped, Tag("stopped")],
    Discriminator(_find_key(("event", "alive", "failed", "stopped", "ready"))),
]

# made once: building an adapter takes milliseconds, parsing a step event microseconds
_COMMANDS: TypeAdapter[TrainerCommand] = TypeAdapter(TrainerCommand)
_MESSAGES: TypeAdapter[TrainerMessage] = TypeAdapter(TrainerMessage)


def parse_command(line: str) -> TrainerCommand:
    """Parse a line of the trainer's input. Raises ValueError.

    ``json`` reads any label name that the database can hold; pydantic's parser rejects lone
    surrogates.
    """
    return _COMMANDS.validate_python(json.loads(line))


def parse_message(line: str) -> TrainerMessage:
    """Parse a line of the trainer's output. Raises ValueError."""
    return _MESSAGES.validate_json(line)


def is_last_message(message: RunMessage) -> bool:
    """Return whether this is the trainer's last message about its run."""
    if isinstance(message, RunEventMessage):
        return isinstance(message.event, Finished | Paused | BaselinesScored)
    return isinstance(message, RunFailed | RunStopped)
