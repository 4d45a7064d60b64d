"""Files of another shape than a table: read as what they are, or refused with what to send."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import build_validation
from shared.datasets.errors import UnreadableFile
from tests.shared.datasets.files import REVIEWS, csv_bytes, jsonl_bytes, read, tsv_bytes
from tests.shared.datasets.profiles import warnings

BODY = [tuple(row) for row in REVIEWS[1:]]
OBJECTS = [dict(zip(("text", "label"), row, strict=True)) for row in BODY]
MARK = "\ufeff"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line", ["sep={}", "SEP={}", '"sep={}"'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_separator_line_names_the_delimiter(
    delimiter: str, line: str, end: str, tmp_path: Path
) -> None:
    rows = [*REVIEWS[:3], ["one cell"]]
    write = tsv_bytes(rows, end) if delimiter == "\t" else csv_bytes(rows, delimiter, end)
    table = read(tmp_path, (line.format(delimiter) + end).encode() + write)
    assert (table.delimiter, table.header) == (delimiter, True)
    assert (table.rows, list(table.lines or ())) == (BODY[:2], [3, 4])
    assert [(problem.line, problem.code) for problem in table.problems] == [(5, "wrong_width")]
    assert table.blank_lines == 0


def test_lines_of_errors_count_the_separator_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="Line 3 "):
        read(tmp_path, b'sep=;\ntext;label\n"a" or b;pos\nc;neg\n')


def test_a_separator_line_with_another_delimiter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"names .\|. as the delimiter"):
        read(tmp_path, b"sep=|\ntext|label\na|pos\n")


@pytest.mark.parametrize("first", ["sep=x,pos", "sep=;,", "step=;"])
def test_other_first_lines_are_rows(first: str, tmp_path: Path) -> None:
    table = read(tmp_path, f"{first}\na,b\n".encode(), header=False)
    assert table.total_rows == 2


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (b"text,label\na,x\n,\n   \n\t,\nb,y\n,\n,\n", "x.csv"),
        (b",\n,\ntext,label\na,x\nb,y\n,\n\n,", "x.csv"),
        (b"text\tlabel\na\tx\n\t\n  \n \t \nb\ty\n\t\n\t\n", "x.tsv"),
        (b'text,label\na,x\n"",""\n"\n",\nb,y\n" "\n"",\n', "x.csv"),
    ],
)
def test_rows_without_a_cell_are_blank_lines(content: bytes, filename: str, tmp_path: Path) -> None:
    table = read(tmp_path, content, filename)
    assert (table.rows, table.problems_total) == ([("a", "x"), ("b", "y")], 0)
    assert warnings(build_validation(table))["blank_lines"] == table.blank_lines >= 4


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (csv_bytes(REVIEWS), "x.csv"),
        (tsv_bytes(REVIEWS), "x.tsv"),
        (b"sep=,\n" + csv_bytes(REVIEWS), "x.csv"),
        (jsonl_bytes(OBJECTS), "x.jsonl"),
        (json.dumps(OBJECTS).encode(), "x.json"),
    ],
)
@pytest.mark.parametrize("marks", [1, 2, 3])
def test_byte_order_marks_at_the_start(
    content: bytes, filename: str, marks: int, tmp_path: Path
) -> None:
    marked = MARK.encode() * marks + content
    for whole, name in ((marked, filename), (gzip.compress(marked), f"{filename}.gz")):
        table = read(tmp_path, whole, name)
        assert (table.columns, table.rows) == (("text", "label"), BODY)


def test_quotes_after_a_blank_are_mentioned(tmp_path: Path) -> None:
    content = b'text, label\n"a, b", "pos"\nplain, neg\nhe said "no", "neg"\n'
    table = read(tmp_path, content)
    assert [row[1] for row in table.rows] == [' "pos"', " neg", ' "neg"']
    assert warnings(build_validation(table))["quoted_after_blank"] == 2


@pytest.mark.parametrize("cell", [' "', ' "a', ' a"b"', ' she said "no"', '"'])
def test_other_quotes_are_not_mentioned(cell: str, tmp_path: Path) -> None:
    content = csv_bytes([["text", "label"], [f"{cell} ", "a"], ["b", "c"]])
    found = warnings(build_validation(read(tmp_path, content)))
    assert "quoted_after_blank" not in found


@pytest.mark.parametrize(
    ("cell", "count"), [('"He said ""no"" to me"', 1), ('"only quoted"', 0), ('"a "" b " c"', 0)]
)
def test_one_tsv_cell_with_doubled_quotes_is_enough(cell: str, count: int, tmp_path: Path) -> None:
    rows = [["text", "label"], [cell, "a"], *([f"plain {row}", "ab"[row % 2]] for row in range(50))]
    found = warnings(build_validation(read(tmp_path, tsv_bytes(rows), "x.tsv")))
    assert found.get("quoted_cells", 0) == count


COLUMNS = {name: {str(i): row[name] for i, row in enumerate(OBJECTS)} for name in OBJECTS[0]}
SPLIT = {"columns": ["text", "label"], "index": [0, 1], "data": [["a", "x"], ["b", "y"]]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"version": "1", "data": OBJECTS}, "its member data contains a list"),
        ({"rows": [{"row": row} for row in OBJECTS]}, "its member rows contains a list"),
        ({"schema": {"fields": []}, "data": OBJECTS}, "its member data contains a list"),
        (COLUMNS, 'orient="records"'),
        ({str(i): row for i, row in enumerate(OBJECTS)}, 'orient="records"'),
        (SPLIT, 'orient="split"'),
        ({"text": ["a", "b"], "label": ["x", "y"]}, "a list per column"),
    ],
    ids=["data", "rows", "table", "columns", "index", "split", "lists"],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("filename", ["x.json", "x.jsonl", "x", "x.txt"])
def test_one_object_says_what_to_send(
    value: Any, message: str, indent: int | None, filename: str, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        read(tmp_path, json.dumps(value, indent=indent).encode(), filename)
    assert refusal.value.code == "jsonl_malformed"
    assert message in refusal.value.message


def test_one_object_beyond_the_limit_of_a_line(tmp_path: Path) -> None:
    rows = [{"text": "long " * 200, "label": "a"}] * 5000
    with pytest.raises(UnreadableFile, match="member data contains"):
        read(tmp_path, json.dumps({"version": 1, "data": rows}).encode(), "x.json")


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a", "label": "b", "spans": [{"start": 1}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"text": "a", "labels": ["x", "y"]},
        {"labels": ["x", "y"]},
    ],
)
def test_one_row_is_a_row(row: dict[str, Any], tmp_path: Path) -> None:
    assert read(tmp_path, jsonl_bytes([row]), "x.jsonl").total_rows == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (",\n".join(map(json.dumps, OBJECTS)), "Line 1 ends with a comma."),
        ("\n,".join(map(json.dumps, OBJECTS)), "Line 2 begins with a comma."),
        (", ".join(map(json.dumps, OBJECTS)), "Line 1 has several objects."),
        ("".join(map(json.dumps, OBJECTS)), "Line 1 has several objects."),
        ("\n".join(json.dumps(row, indent=1) for row in OBJECTS), "spans several lines"),
        (",\n".join(json.dumps(row, indent=1) for row in OBJECTS), "spans several lines"),
        ("\n\n" + json.dumps(OBJECTS[0], indent=1), "spans several lines"),
        ('{"text": "a", "label": "b"', "Line 1 is not valid JSON"),
        (f'{json.dumps(OBJECTS[0])}\n{{"text": "a"', "Line 2 is not valid JSON"),
        (f"{json.dumps(OBJECTS[0])} x", "Line 1 is not valid JSON"),
    ],
)
def test_almost_json_lines(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        read(tmp_path, content.encode(), "x.jsonl")
    assert refusal.value.code == "jsonl_malformed"
    assert message in refusal.value.message


def test_an_array_of_arrays_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="an array, not an object"):
        read(tmp_path, json.dumps([["a", "x"], ["b", "y"]]).encode(), "x.json")


DECIMALS = [f"{row % 5},{row % 2 * 5}" for row in range(60)]


@pytest.mark.parametrize("texts", ["It was day {}", "Well, day {}", "It was fine ({})"])
def test_a_decimal_comma_is_no_delimiter(texts: str, tmp_path: Path) -> None:
    rows = [[texts.format(row), number] for row, number in enumerate(DECIMALS)]
    content = "".join(";".join(row) + "\n" for row in rows)
    for whole in (content, content + "one cell\n", content + "a;b;c\n"):
        table = read(tmp_path, whole.encode(), header=False)
        assert table.delimiter == ";"
        assert table.rows == [tuple(row) for row in rows]


def test_punctuation_is_no_delimiter(tmp_path: Path) -> None:
    rows = [[f"Well, it was day {row}", ["pos", "neg"][row % 2]] for row in range(60)]
    for delimiter in ";\t":
        content = "".join(delimiter.join(row) + "\n" for row in rows)
        assert read(tmp_path, content.encode()).delimiter == delimiter
    content = "".join(f"Well; it was day {row},pos\n" for row in range(60))
    assert read(tmp_path, content.encode()).delimiter == ","


words = st.text(st.characters(categories=["Ll", "Lo"]), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(st.lists(words, min_size=1, max_size=4), min_size=3, max_size=20),
    numbers=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=20, max_size=20),
    mark=st.sampled_from([" ", ", ", ",", "; "]),
    blank=st.sampled_from(["", ";\n", "  \n", "\n"]),
)
def test_any_decimal_commas(
    texts: list[list[str]], numbers: list[tuple[int, int]], mark: str, blank: str
) -> None:
    rows = [
        (mark.join(text), f"{whole},{part}")
        for text, (whole, part) in zip(texts, numbers, strict=False)
    ]
    lines = [f'"{text}";{number}\n' for text, number in rows]
    with tempfile.TemporaryDirectory() as folder:
        table = read(Path(folder), "".join([*lines, blank]).encode(), header=False)
    assert (table.delimiter, table.rows) == (";", rows)
