"""Small files of very many cells or values: what they cost is bounded by their structure."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.datasets.errors import FieldTooLarge, TooManyCells, UnreadableFile
from shared.datasets.readers.table import read_table

LINE = 3_990_000
"""Characters of the longest lines; a little more is refused for its length alone."""
HEAD = b"text,label\n" + b"good film,a\nbad film,b\n" * 10
MAX_PEAK_MB = 256


class Bomb(NamedTuple):
    filename: str
    build: Callable[[], bytes]
    error: str | None
    """Code of the refusal; None if the usable rows are read."""


BOMBS = {
    "cells": Bomb("f.csv.gz", lambda: HEAD + (b"a," * (LINE // 2) + b"a\n") * 30, None),
    "tabs": Bomb(
        "f.tsv.gz", lambda: HEAD.replace(b",", b"\t") + (b"a\t" * (LINE // 2) + b"a\n") * 30, None
    ),
    "empty cells": Bomb("f.csv.gz", lambda: HEAD + (b"," * LINE + b"\n") * 30, None),
    "quoted": Bomb(
        "f.csv.gz", lambda: HEAD + (b'"ab",' * (LINE // 5) + b"a\n") * 40, "too_many_cells"
    ),
    "wrong width": Bomb(
        "f.csv.gz", lambda: HEAD + (b"ab," * 900 + b"a\n") * 30_000, "too_many_cells"
    ),
    "columns": Bomb("f.csv.gz", lambda: (b"ab," * 999 + b"a\n") * 4_900, None),
    "lists": Bomb(
        "f.jsonl.gz", lambda: b'{"a":[' + b"[]," * (LINE // 3) + b"[]]}\n", "field_too_large"
    ),
    "array": Bomb(
        "f.json.gz", lambda: b'[{"a":[' + b"[]," * (LINE // 3) + b"[]]}]", "field_too_large"
    ),
    "numbers": Bomb(
        "f.jsonl.gz", lambda: b'{"a":[' + b"1," * (LINE // 2) + b"1]}\n", "field_too_large"
    ),
    "keys": Bomb(
        "f.jsonl.gz", lambda: b'{"a":1' + b',"a":1' * (LINE // 6) + b"}\n", "field_too_large"
    ),
    "many lists": Bomb(
        "f.jsonl.gz",
        lambda: (b'{"text":"a","label":"b","x":[' + b"[]," * 6_000 + b"[]]}\n") * 1_000,
        "too_many_cells",
    ),
    "many arrays": Bomb(
        "f.json.gz",
        lambda: b"[" + (b'{"text":"a","x":[' + b"[]," * 6_000 + b"[]]},\n") * 1_000 + b"{}]",
        "too_many_cells",
    ),
}

READ = """
import re, sys
from pathlib import Path
from shared.datasets.readers.table import read_table
from shared.domain.errors import ServiceError
try:
    read_table(Path(sys.argv[1]), sys.argv[2])
    code = "read"
except ServiceError as error:
    code = error.code
peak_kb = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(code, int(peak_kb) // 1024)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_memory(name: str, tmp_path: Path) -> None:
    bomb = BOMBS[name]
    path = tmp_path / "upload"
    path.write_bytes(gzip.compress(bomb.build(), compresslevel=5))
    assert path.stat().st_size < 1_000_000
    answer = subprocess.run(
        [sys.executable, "-c", READ, str(path), bomb.filename],
        capture_output=True,
        text=True,
        check=True,
    )
    code, peak_mb = answer.stdout.split()
    assert code == (bomb.error or "read")
    assert int(peak_mb) < MAX_PEAK_MB


def read(content: bytes, filename: str, folder: Path) -> list[tuple[str, ...]]:
    path = folder / "upload"
    path.write_bytes(content)
    return read_table(path, filename).rows


def test_values_up_to_the_limits_are_read(tmp_path: Path) -> None:
    vector = b'{"text":"a, [b] {c}","label":"x","v":[' + b"0.5," * 19_000 + b"1]}\n"
    assert len(read(vector * 3, "f.jsonl", tmp_path)) == 3
    assert len(read(b"[" + vector + b"," + vector + b"]", "f.json", tmp_path)) == 2
    commas = b'{"text":"' + b"a, [" * 30_000 + b'","label":"x"}\n'  # they are text
    assert len(read(commas * 2, "f.jsonl", tmp_path)) == 2
    with pytest.raises(FieldTooLarge, match="20,000 values"):
        read(vector.replace(b"1]", b"1," * 2_000 + b"1]"), "f.jsonl", tmp_path)


def test_wide_rows_are_problems_of_their_own(tmp_path: Path) -> None:
    """Lines are numbered as they are in the file, whichever way a row is read."""
    wide = b"a," * 1_500 + b"a\n"
    quoted = b'"a\nb",' + wide
    path = tmp_path / "upload"
    path.write_bytes(b"text,label\n" + wide + b'"x\ny",b\n' + quoted + b"one\n" + b"z,c\n")
    table = read_table(path, "f.csv")
    assert [(problem.line, problem.code) for problem in table.problems] == [
        (2, "wrong_width"),
        (5, "wrong_width"),
        (7, "wrong_width"),
    ]
    assert "1501 cells" in table.problems[0].message.replace(",", "")
    assert table.rows == [("x\ny", "b"), ("z", "c")]
    assert list(table.lines or ()) == [3, 8]


def test_commas_within_quotes_do_not_make_a_row_wide(tmp_path: Path) -> None:
    text = b"a," * 2_000
    assert read(b"text,label\n" + b'"' + text + b'",good\n' + b"b,bad\n", "f.csv", tmp_path) == [
        (text.decode(), "good"),
        ("b", "bad"),
    ]


def test_a_refusal_names_the_cure(tmp_path: Path) -> None:
    content = (b'{"text":"a","x":[' + b"[]," * 6_000 + b"[]]}\n") * 1_000
    with pytest.raises(TooManyCells, match="Remove the columns") as refusal:
        read(content, "f.jsonl", tmp_path)
    assert isinstance(refusal.value, UnreadableFile)
