"""What all commands print through: whole ids, whole words, no blanks at line ends, one time."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from cli.console import OutputConsole
from cli.errors import CliError
from cli.output_files import write_output
from cli.rows import Column, Kind, RowTable
from cli.times import format_time
from cli.urls import is_loopback, normalize_url

ID = "ftjob-" + "0" * 24


def render(renderable: Any, width: int) -> list[str]:
    console = OutputConsole(width=width)
    console.file = io.StringIO()
    console.print(renderable)
    return console.file.getvalue().splitlines()


def build_table() -> RowTable:
    table = RowTable(Column("job", Kind.ID), "status", "steps", Column("why", Kind.SENTENCE))
    table.add_row(ID, "queued", "1/2", "Because of one reason and of another reason.")
    return table


def test_a_table_that_fits_has_one_line_per_row() -> None:
    assert render(build_table(), 100) == [
        f"job{' ' * 27}  status  steps  why",
        f"{ID}  queued  1/2    Because of one reason and of another reason.",
    ]


def test_a_narrow_table_breaks_its_sentences() -> None:
    assert render(build_table(), 75)[1:] == [
        f"{ID}  queued  1/2    Because of one reason and of",
        f"{' ' * 47}another reason.",
    ]


def test_a_narrower_table_has_several_lines_per_row() -> None:
    assert render(build_table(), 40) == [
        ID,
        "  status queued, steps 1/2",
        "  why Because of one reason and of",
        "  another reason.",
    ]
    assert render(build_table(), 20)[0] == ID


def test_texts_are_broken_at_words_only() -> None:
    assert render(f"It is {ID} now.", 20) == ["It is", ID, "now."]


def test_lines_end_without_blanks_and_emoji_codes_stay() -> None:
    table = Table("a", "b", box=None)
    table.add_row("ft:m:local:fire:00", "")
    assert all(line == line.rstrip() for line in render(table, 80))
    assert render("ft:m:fire:smile:00", 80) == ["ft:m:fire:smile:00"]


def test_times_have_their_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert format_time(0) == "1970-01-01 05:30 +05:30"
        assert format_time(61, with_seconds=True) == "1970-01-01 05:31:01 +05:30"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    write_output(path, [b"a", b"b"])
    assert path.read_bytes() == b"ab"

    def break_off() -> Any:
        yield b"half"
        raise CliError("The connection was lost.")

    with pytest.raises(CliError, match="lost"):
        write_output(tmp_path / "other.csv", break_off())
    assert [file.name for file in tmp_path.iterdir()] == ["answers.csv"]
    for bad in (tmp_path, tmp_path / "missing" / "a.csv", tmp_path / "answers.csv" / "a"):
        with pytest.raises(CliError, match=f"Cannot write {bad} "):
            write_output(bad, [b"a"])


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_an_address_with_or_without_its_version(end: str) -> None:
    assert normalize_url(f"http://host:80/prefix{end}") == "http://host:80/prefix"


def test_loopback_addresses() -> None:
    local = ("http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "http://127.1.2.3")
    assert all(map(is_loopback, local))
    assert not is_loopback("http://127.example.com")
