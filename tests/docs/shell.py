"""A shell as a reader has it: one for a page, so that what an example sets the next one finds."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

PROMPT: Final = "$ "
_END: Final = "this example has ended with"
_HEREDOC: Final = re.compile(r"<<'?(\w+)'?")


@dataclass(frozen=True)
class Step:
    """A command, and the answer that the page shows under it."""

    command: str
    shown: str
    line: int
    """From 0, within the block."""


@dataclass(frozen=True)
class Outcome:
    code: int
    said: str
    """Standard output and error together."""


def steps_of(block: str) -> list[Step]:
    """Raises ValueError for an answer without a command before it."""
    lines = block.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(PROMPT)]
    if starts[:1] != [0]:
        raise ValueError(f"a console block begins with {PROMPT!r}")
    return [
        _step(lines, start, end)
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)
    ]


def _step(lines: Sequence[str], start: int, end: int) -> Step:
    whole = (n for n in range(1, end - start) if _is_whole(lines[start : start + n]))
    length = next(whole, end - start)
    command = "\n".join(lines[start : start + length]).removeprefix(PROMPT)
    return Step(command, "\n".join(lines[start + length : end]).strip("\n"), start)


def _is_whole(lines: Sequence[str]) -> bool:
    heredoc = _HEREDOC.search("\n".join(lines))
    if heredoc is not None:
        return lines[-1] == heredoc[1]
    return not lines[-1].endswith("\\") and "\n".join(lines).count("'") % 2 == 0


class Shell:
    """``bash`` in a folder. A command has no input of its own and says all that it says to one
    place.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # so that what a page leaves in the background can be ended with it
            start_new_session=True,
        )

    def run(self, command: str) -> Outcome:
        """Raises EOFError if the shell itself ends."""
        pipe = _piped(self._process.stdin)
        pipe.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n%s %s\\n' '{_END}' $?\n")
        pipe.flush()
        said: list[str] = []
        for line in _piped(self._process.stdout):
            if line.startswith(_END):
                return Outcome(
                    int(line.removeprefix(_END)), "".join(said).removesuffix("\n").rstrip("\n")
                )
            said.append(line)
        raise EOFError("".join(said))

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    opened = Shell(folder, environment)
    try:
        yield opened
    finally:
        opened.close()


def _piped(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
