"""Rows in = rows out, whatever characters they hold."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.datasets.files import csv_bytes, jsonl_bytes, read, tsv_bytes

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
tricky_text = st.text(st.sampled_from("a\"',;\t\n\r \u2028\x85é{["), max_size=8)
cell = any_text | tricky_text
tab_cell = cell.map(lambda text: text.replace("\t", " ").replace("\n", " ").replace("\r", " "))


def tables(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    return st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=8)
    )


def names(width: int) -> list[str]:
    return ["text", "label", "third", "fourth", "fifth"][:width]


def rows_of(content: bytes, filename: str) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        table = read(Path(folder), content, filename, header=True)
    assert table.problems_total == 0
    return [list(row) for row in table.rows]


@settings(deadline=None)
@given(rows=tables(cell), end=st.sampled_from(["\n", "\r\n"]))
def test_csv(rows: list[list[str]], end: str) -> None:
    assert rows_of(csv_bytes([names(len(rows[0])), *rows], end=end), "x.csv") == rows


@settings(deadline=None)
@given(rows=tables(tab_cell), end=st.sampled_from(["\n", "\r\n"]))
def test_tsv(rows: list[list[str]], end: str) -> None:
    assert rows_of(tsv_bytes([names(len(rows[0])), *rows], end=end), "x.tsv") == rows


@settings(deadline=None)
@given(rows=tables(cell))
def test_jsonl(rows: list[list[str]]) -> None:
    objects = [dict(zip(names(len(row)), row, strict=True)) for row in rows]
    assert rows_of(jsonl_bytes(objects), "x.jsonl") == rows
