import asyncio
import io
import os
from pathlib import Path

import pytest

from cli import child_output
from cli.child_output import ChildOutput, copy_lines


def copied(data: bytes, output: ChildOutput) -> None:
    async def copy() -> None:
        read_end, write_end = os.pipe()
        copier = asyncio.create_task(
            copy_lines("api", os.fdopen(read_end, "rb", buffering=0), output)
        )
        with os.fdopen(write_end, "wb") as child:
            await asyncio.to_thread(child.write, data)
            await asyncio.to_thread(child.flush)
        await copier

    asyncio.run(copy())


def test_lines_are_copied_to_the_stream_and_to_the_log_file(tmp_path: Path) -> None:
    stream = io.StringIO()
    output = ChildOutput(["api"], stream=stream, log_folder=tmp_path / "logs")
    copied(b"one\r\n[bold]two[/bold]\n\xff three", output)
    output.close()
    assert (
        stream.getvalue()
        == "api      | one\napi      | [bold]two[/bold]\napi      | \ufffd three\n"
    )
    logged = (tmp_path / "logs" / "api.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in logged] == ["one", "[bold]two[/bold]", "\ufffd three"]


def test_a_quiet_child_goes_to_its_log_alone_and_its_last_lines_are_kept(tmp_path: Path) -> None:
    stream = io.StringIO()
    output = ChildOutput(["api"], stream=stream, log_folder=tmp_path, quiet_names=["api"])
    copied(b"".join(b"%d\n" % number for number in range(10)), output)
    output.close()
    assert stream.getvalue() == ""
    assert output.get_hidden_tail("api") == ["5", "6", "7", "8", "9"]
    assert len((tmp_path / "api.log").read_text().splitlines()) == 10


def test_a_line_without_end_comes_in_bounded_pieces() -> None:
    stream = io.StringIO()
    size = 5 * child_output.MAX_LINE_BYTES
    copied(b"x" * size + b"\nend\n", ChildOutput(["api"], stream=stream))
    pieces = [line.removeprefix("api      | ") for line in stream.getvalue().splitlines()]
    assert sum(map(len, pieces[:-1])) == size
    assert max(map(len, pieces)) <= 2 * child_output.MAX_LINE_BYTES
    assert pieces[-1] == "end"


def test_names_are_colored_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    copied(b"hello\n", ChildOutput(["api"], stream=stream))
    assert stream.getvalue() == "\x1b[36mapi      | \x1b[0mhello\n"


def test_log_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_output, "MAX_LOG_BYTES", 2000)
    output = ChildOutput(["api"], stream=io.StringIO(), log_folder=tmp_path)
    copied(b"a line of some length\n" * 1000, output)
    output.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * 2000


def test_a_reader_that_has_gone_does_not_stop_the_logs(tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    output = ChildOutput(["api"], stream=Closed(), log_folder=tmp_path)
    copied(b"one\ntwo\n", output)
    output.close()
    assert len((tmp_path / "api.log").read_text().splitlines()) == 2
