"""Rows in = rows out, whatever characters they hold, in every format that is read."""

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.shared.datasets.files import csv_bytes, jsonl_bytes, parquet_bytes, read, tsv_bytes

Rows = list[list[str]]

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
tricky_text = st.text(st.sampled_from("a\"',;\t\n\r \u2028\x85é{["), max_size=8)
no_text = st.sampled_from(
    [
        "",
        " ",
        "NA",
        "N/A",
        "None",
        "null",
        "NaN",
        "nan",
        "true",
        "-0.0",
        "1e5",
        "007",
        "=1+1",
        "#",
        '"',
        '""',
        "\ufeff",
        "[]",
    ]
)
"""What other readers take for something else."""
cell = any_text | tricky_text | no_text
in_a_line = cell.map(lambda text: text.replace("\t", " ").replace("\n", " ").replace("\r", " "))


def tables(cells: st.SearchStrategy[str], most: int = 8) -> st.SearchStrategy[Rows]:
    return st.integers(2, 5).flatmap(
        lambda width: st.lists(
            st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=most
        )
    )


def names(width: int) -> list[str]:
    return ["text", "label", "third", "fourth", "fifth"][:width]


def rows_of(content: bytes, filename: str, *, header: Literal["auto"] | bool = True) -> Rows:
    with tempfile.TemporaryDirectory() as folder:
        table = read(Path(folder), content, filename, header=header)
    assert table.problems_total == 0
    return [list(row) for row in table.rows]


def by_csv_module(quoting: Literal[0, 1, 2, 3]) -> Callable[[Rows], bytes]:
    def write(rows: Rows) -> bytes:
        target = io.StringIO()
        csv.writer(target, quoting=quoting).writerows([names(len(rows[0])), *rows])
        return target.getvalue().encode()

    return write


def objects(rows: Rows) -> list[dict[str, str]]:
    return [dict(zip(names(len(row)), row, strict=True)) for row in rows]


def with_names(write: Callable[..., bytes], end: str) -> Callable[[Rows], bytes]:
    return lambda rows: write([names(len(rows[0])), *rows], end=end)


WRITERS: dict[str, tuple[str, Callable[[Rows], bytes], st.SearchStrategy[str]]] = {
    "csv": ("x.csv", with_names(csv_bytes, "\n"), cell),
    "csv, crlf": ("x.csv", with_names(csv_bytes, "\r\n"), cell),
    "csv module": ("x.csv", by_csv_module(csv.QUOTE_MINIMAL), cell),
    "csv module, all quoted": ("x.csv", by_csv_module(csv.QUOTE_ALL), cell),
    "tsv": ("x.tsv", with_names(tsv_bytes, "\n"), in_a_line),
    "tsv, crlf": ("x.tsv", with_names(tsv_bytes, "\r\n"), in_a_line),
    "jsonl": ("x.jsonl", lambda rows: jsonl_bytes(objects(rows)), cell),
    "json": ("x.json", lambda rows: json.dumps(objects(rows)).encode(), cell),
}
"""Name of the file, how it is written, and the cells that the format can have."""


def told_again(writer: str, rows: Rows, *, packed: bool) -> Rows:
    filename, write, _ = WRITERS[writer]
    content = write(rows)
    return (
        rows_of(gzip.compress(content, 1), f"{filename}.gz")
        if packed
        else rows_of(content, filename)
    )


def kept(writer: str, rows: Rows) -> Rows:
    """All rows but those of CSV and TSV with no cell filled, which are blank lines."""
    if writer in ("jsonl", "json"):
        return rows
    return [row for row in rows if any(map(str.strip, row))]


@pytest.mark.parametrize("writer", WRITERS)
@settings(deadline=None, max_examples=40)
@given(data=st.data(), packed=st.booleans())
def test_cell_for_cell(writer: str, data: st.DataObject, packed: bool) -> None:
    rows = data.draw(tables(WRITERS[writer][2]))
    assume(kept(writer, rows))
    assert told_again(writer, rows, packed=packed) == kept(writer, rows)


@pytest.mark.long
@pytest.mark.parametrize("writer", WRITERS)
@settings(deadline=None, max_examples=2000)
@given(data=st.data(), packed=st.booleans())
def test_cell_for_cell_at_length(writer: str, data: st.DataObject, packed: bool) -> None:
    rows = data.draw(tables(WRITERS[writer][2], most=20))
    assume(kept(writer, rows))
    assert told_again(writer, rows, packed=packed) == kept(writer, rows)


def parquet_of(rows: Rows) -> bytes:
    return parquet_bytes(dict(zip(names(len(rows[0])), zip(*rows, strict=True), strict=True)))


@settings(deadline=None, max_examples=4)  # each is read by a process of its own
@given(rows=tables(cell, most=30))
def test_parquet(rows: Rows) -> None:
    assert rows_of(parquet_of(rows), "x.parquet") == rows


@pytest.mark.long
@settings(deadline=None, max_examples=60)
@given(rows=tables(cell, most=60))
def test_parquet_at_length(rows: Rows) -> None:
    assert rows_of(parquet_of(rows), "x.parquet") == rows


turns = st.lists(st.tuples(cell, cell), max_size=2)


def chat_bytes(rows: Sequence[tuple[str, str, list[tuple[str, str]]]]) -> bytes:
    """A conversation a row: what was said before, then the text and its label."""
    return jsonl_bytes(
        {
            "messages": [
                {"role": role, "content": content}
                for said in [*before, (text, label)]
                for role, content in zip(("user", "assistant"), said, strict=True)
            ]
        }
        for text, label, before in rows
    )


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(cell, cell, turns), min_size=1, max_size=6))
def test_chat(rows: list[tuple[str, str, list[tuple[str, str]]]]) -> None:
    assert rows_of(chat_bytes(rows), "x.jsonl", header="auto") == [
        [text, label] for text, label, _ in rows
    ]
