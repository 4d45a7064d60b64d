"""What a process says on its standard error is passed on, and its end is kept: with real
processes and pipes.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from worker.trainer.stderr_tail import MAX_TAIL_BYTES, StderrTail


@contextmanager
def saying(words: StderrTail, code: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs ``code`` and says ``done`` on its standard output."""
    command = [
        sys.executable,
        "-c",
        f"import sys\n{code}\nprint('done', flush=True)\nsys.stdin.read()",
    ]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    words.follow_stream(process.stderr)
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "done\n"
        yield process
    process.wait()
    words.get_text()  # nothing is left to be passed on


def test_all_that_was_said_before_is_there(capfd: pytest.CaptureFixture[str]) -> None:
    words = StderrTail()
    with saying(words, "for n in range(200): print('line', n, file=sys.stderr, flush=True)"):
        said = words.get_text()  # the last line was written just before "done"
    assert said.splitlines() == [f"line {n}" for n in range(200)]
    assert capfd.readouterr().err == said


def test_the_end_of_much_from_the_beginning_of_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    words = StderrTail()
    with saying(
        words, "for n in range(40_000): print('line', n, 'é', file=sys.stderr)\nsys.stderr.flush()"
    ):
        said = words.get_text()
    assert MAX_TAIL_BYTES - 20 < len(said.encode()) <= MAX_TAIL_BYTES
    lines = said.splitlines()
    assert lines == [f"line {n} é" for n in range(40_000 - len(lines), 40_000)]
    assert capfd.readouterr().err.endswith(said)


def test_one_process_after_the_other(capfd: pytest.CaptureFixture[str]) -> None:
    words = StderrTail()
    assert words.get_text() == ""
    with saying(words, "print('first', file=sys.stderr)"):
        words.get_text()
        words.clear()
    with saying(words, "sys.stderr.buffer.write(b'\\xff second'); sys.stderr.flush()") as process:
        process.kill()
        process.wait()
        assert words.get_text() == "\ufffd second"
    assert "first" in capfd.readouterr().err
