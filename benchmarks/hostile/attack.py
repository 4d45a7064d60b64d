"""What an attack is, and what one did."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from benchmarks.hostile.target import RunningApi


@dataclass(frozen=True)
class Scene:
    """What attacks work with: the process, a key of it, and an uploaded file."""

    api: RunningApi
    key: str
    file_id: str
    long_rows_id: str
    """A file whose rows are long."""

    @property
    def authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


class Outcome(TypedDict):
    """What an attack did, besides what it cost others."""

    text: str
    met: bool
    """Whether the responses are those that are wanted."""


@dataclass(frozen=True)
class Attack:
    """One attack of one client."""

    name: str
    wanted: str
    """The wanted outcome in words, besides the latency of others."""
    run: Callable[[Scene], Outcome]
    memory_mb: float | None = None
    """Growth of the process that is allowed, if the attack has a bound of its own."""
    reader_mb: float | None = None
    """Memory that a process which reads files may have."""
