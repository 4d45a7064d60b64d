"""Good files of every kind become the rows they hold."""

from pathlib import Path

import pytest

from shared.datasets import Format, Limits, Table, build_validation
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import (
    REVIEWS,
    csv_bytes,
    jsonl_bytes,
    parquet_bytes,
    read,
    tsv_bytes,
)

BODY = [tuple(row) for row in REVIEWS[1:]]
BOM = b"\xef\xbb\xbf"


def described(table: Table) -> tuple[str, str | None, bool | None, tuple[str, ...] | None]:
    return table.format, table.delimiter, table.header, table.columns


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", BOM])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "unended"])
def test_csv_with_every_line_end_and_mark(
    end: str, mark: bytes, last: bool, tmp_path: Path
) -> None:
    content = mark + csv_bytes(REVIEWS, end=end)
    table = read(tmp_path, content if last else content.removesuffix(end.encode()))
    assert described(table) == ("csv", ",", True, ("text", "label"))
    assert table.rows == BODY
    assert list(table.row_numbers) == [1, 2, 3, 4, 5, 6]
    assert table.lines is not None
    assert list(table.lines) == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_tsv_takes_a_quote_for_a_character(end: str, mark: bytes, tmp_path: Path) -> None:
    rows = [
        ["index", "sentence1", "sentence2", "label"],
        ["0", '"To be', 'or "not" to be', "entailment"],
        ["1", 'He said "no', "", "not_entailment"],
        ["2", '"', '""', "entailment"],
    ]
    table = read(tmp_path, mark + tsv_bytes(rows, end).removesuffix(end.encode()), "train.tsv")
    assert described(table) == ("tsv", "\t", True, tuple(rows[0]))
    assert table.rows == [tuple(row) for row in rows[1:]]


def test_csv_cells_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    rows = [
        ["text", "label"],
        ['A, "b"\nand\r\nc', "x"],
        ["d", "y"],
        ["\n", "x"],
        ["e\u2028f\x0cg", "y"],
    ]
    table = read(tmp_path, csv_bytes(rows))
    assert table.rows == [tuple(row) for row in rows[1:]]
    assert list(table.lines or ()) == [2, 5, 6, 8], "the line in which the row begins"


def test_tsv_line_separators_of_unicode_do_not_end_a_line(tmp_path: Path) -> None:
    content = tsv_bytes([["text", "label"], ["a\u2028b\x0b\x0c\x1c\x85c", "1"], ["d\re", "0"]])
    assert read(tmp_path, content, "x.tsv").rows == [
        ("a\u2028b\x0b\x0c\x1c\x85c", "1"),
        ("d\re", "0"),
    ]


@pytest.mark.parametrize("word", ["NA", "None", "null", "nan", "N/A", "NULL", " "])
def test_words_for_nothing_are_data(word: str, tmp_path: Path) -> None:
    assert read(tmp_path, csv_bytes([["text", "label"], [word, "a"], ["b", word]])).rows == [
        (word, "a"),
        ("b", word),
    ]
    assert read(tmp_path, jsonl_bytes([{"text": word, "label": ""}]), "x.jsonl").rows == [
        (word, "")
    ]
    assert read(tmp_path, parquet_bytes({"text": [word, None]}), "x.parquet").rows == [
        (word,),
        ("",),
    ]


@pytest.mark.parametrize(
    ("content", "filename", "expected"),
    [
        (csv_bytes(REVIEWS, ";"), "data.csv", ("csv", ";")),
        (csv_bytes(REVIEWS, ";"), "data", ("csv", ";")),
        (csv_bytes(REVIEWS), "data.txt", ("csv", ",")),
        (csv_bytes(REVIEWS), "data.tsv", ("csv", ",")),
        (tsv_bytes(REVIEWS), "data.csv", ("tsv", "\t")),
        (tsv_bytes(REVIEWS), "data.txt", ("tsv", "\t")),
        (tsv_bytes(REVIEWS), "DATA.TSV", ("tsv", "\t")),
        (tsv_bytes([*REVIEWS, ["short"]]), "data.txt", ("tsv", "\t")),
        (csv_bytes([*REVIEWS, ["a", "b", "c"]]), "data.csv", ("csv", ",")),
        (csv_bytes([["text", "label"], ["a\tb", "1"], ["c\td", "0"]]), "data.csv", ("csv", ",")),
        (jsonl_bytes([{"text": "a", "label": 1}]), "data.csv", ("jsonl", None)),
        (jsonl_bytes([{"text": "a", "label": 1}]), "data", ("jsonl", None)),
        (BOM + jsonl_bytes([{"text": "a", "label": 1}]), "data.ndjson", ("jsonl", None)),
        (b'text,label\n{"a"},1\n', "data.csv", ("csv", ",")),
        (b"{curly text,1\nsecond text,0\n", "data.csv", ("csv", ",")),
        (parquet_bytes({"text": ["a"], "label": [1]}), "data.csv", ("parquet", None)),
    ],
)
def test_content_decides_the_format(
    content: bytes, filename: str, expected: tuple[str, str | None], tmp_path: Path
) -> None:
    table = read(tmp_path, content, filename)
    assert (table.format, table.delimiter) == expected


def test_rows_of_another_width_are_counted_and_named(tmp_path: Path) -> None:
    content = b"text,label\n\none,a\ntwo\nthree,b,c\n\nfour,a\n\n"
    table = read(tmp_path, content)
    assert table.rows == [("one", "a"), ("four", "a")]
    assert list(table.row_numbers) == [1, 4]
    assert (table.total_rows, table.problems_total, table.blank_lines) == (4, 2, 3)
    assert [(p.row, p.line, p.column, p.code) for p in table.problems] == [
        (2, 4, None, "wrong_width"),
        (3, 5, None, "wrong_width"),
    ]
    assert table.problems[1].message == "The row has 3 cells, but the header has 2."


def test_only_the_first_hundred_problems_are_spelled_out(tmp_path: Path) -> None:
    table = read(tmp_path, b"text\tlabel\na\t1\n" + b"no label\n" * 5000, "x.tsv")
    assert (table.total_rows, table.problems_total, len(table.problems)) == (5001, 5000, 100)


def test_json_values_get_one_spelling(tmp_path: Path) -> None:
    lines = [
        '{"text": "a", "label": 1, "ok": true}',
        "",
        '{"label": 2.0, "text": "b", "score": 0.50, "ok": false}',
        '{"text": null, "label": -0, "score": 1e3}',
        '{"text": "\\u00e9\\ud83d\\ude00", "label": 123456789012345678901234567890}',
    ]
    table = read(tmp_path, "\n".join(lines).encode(), "x.jsonl")
    assert described(table) == ("jsonl", None, None, ("text", "label", "ok", "score"))
    assert table.rows == [
        ("a", "1", "true", ""),
        ("b", "2", "false", "0.5"),
        ("", "0", "", "1000"),
        ("é😀", "123456789012345678901234567890", "", ""),
    ]
    assert (list(table.lines or ()), table.blank_lines) == ([1, 3, 4, 5], 1)


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ('{"text": "a", "label": NaN}', "invalid_number", "label"),
        ('{"text": "a", "label": -Infinity}', "invalid_number", "label"),
        ('{"text": "a", "label": 1e999}', "invalid_number", "label"),
        ('{"text": "a", "text": "b", "label": 1}', "duplicate_key", "text"),
        ('{"text": [["a"]], "label": 1}', "nested_value", "text"),
        ('{"text": "a", "label": ["x", null]}', "nested_value", "label"),
        ('{"text": "a", "label": ["x", NaN]}', "invalid_number", "label"),
        ('{"text": "a", "label": ["x\\u0000"]}', "invalid_text", "label"),
        ('{"text": {"en": "a"}, "label": 1}', "nested_value", "text"),
        ('{"text": "\\ud800", "label": 1}', "invalid_text", "text"),
        ('{"text": "a\\u0000b", "label": 1}', "invalid_text", "text"),
    ],
)
def test_json_values_that_are_no_cells_are_problems_of_their_rows(
    line: str, code: str, column: str, tmp_path: Path
) -> None:
    good = '{"text": "good", "label": 1}'
    table = read(tmp_path, f"{good}\n{line}\n{good}\n".encode(), "x.jsonl")
    assert (table.rows[0], table.rows[2], table.problems_total) == (("good", "1"),) * 2 + (0,)
    task = TaskRequest(text_column="text", label_column="label")
    errors = build_validation(table, task).errors
    assert [(p.row, p.line, p.code, p.column) for p in errors] == [(2, 2, code, column)]


@pytest.mark.parametrize("filename", ["x.csv", "x.tsv", "x.jsonl"])
def test_limits_are_inclusive(filename: str, tmp_path: Path) -> None:
    rows = [["text", "label"], ["aaaa", "1"], ["bbbb", "0"]]
    content = {
        "x.csv": csv_bytes(rows),
        "x.tsv": tsv_bytes(rows),
        "x.jsonl": jsonl_bytes([dict(zip(rows[0], row, strict=True)) for row in rows[1:]]),
    }[filename]
    exact = Limits(max_rows=2, max_columns=2, max_cells=4, max_cell_chars=5)
    assert len(read(tmp_path, content, filename, limits=exact).rows) == 2


def test_formats_are_their_names() -> None:
    assert [str(value) for value in Format] == ["csv", "tsv", "jsonl", "json", "parquet"]
