"""Forwarding and tail of standard error, with real processes and pipes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from worker.trainer.stderr_tail import MAX_TAIL_BYTES, StderrTail


@contextmanager
def start_process(words: StderrTail, code: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that runs ``code`` and then prints ``done``."""
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
    words.get_text()  # everything has been forwarded


def test_the_tail_has_everything_written_before_the_call(capfd: pytest.CaptureFixture[str]) -> None:
    words = StderrTail()
    with start_process(words, "for n in range(200): print('line', n, file=sys.stderr, flush=True)"):
        said = words.get_text()  # the last line was written just before "done"
    assert said.splitlines() == [f"line {n}" for n in range(200)]
    assert capfd.readouterr().err == said


def test_a_long_output_is_cut_at_the_start_of_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    words = StderrTail()
    with start_process(
        words, "for n in range(40_000): print('line', n, 'é', file=sys.stderr)\nsys.stderr.flush()"
    ):
        said = words.get_text()
    assert MAX_TAIL_BYTES - 20 < len(said.encode()) <= MAX_TAIL_BYTES
    lines = said.splitlines()
    assert lines == [f"line {n} é" for n in range(40_000 - len(lines), 40_000)]
    assert capfd.readouterr().err.endswith(said)


def test_the_tail_continues_with_the_next_process(capfd: pytest.CaptureFixture[str]) -> None:
    words = StderrTail()
    assert words.get_text() == ""
    with start_process(words, "print('first', file=sys.stderr)"):
        words.get_text()
        words.clear()
    with start_process(
        words, "sys.stderr.buffer.write(b'\\xff second'); sys.stderr.flush()"
    ) as process:
        process.kill()
        process.wait()
        assert words.get_text() == "\ufffd second"
    assert "first" in capfd.readouterr().err
