"""A JSON file is one array of objects: read as the same objects would be a line each, an
element at a time.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.datasets import Limits, Table
from shared.datasets.readers import json_records
from shared.domain.errors import ServiceError
from tests.shared.datasets.files import jsonl_bytes, read

GOOD = [
    {"text": "A film to see twice.", "label": "pos"},
    {"text": "Long, [loud] and {empty}.", "label": "neg"},
]


def array(
    folder: Path, content: str | bytes, filename: str = "x.json", limits: Limits | None = None
) -> Table:
    encoded = content.encode() if isinstance(content, str) else content
    return read(folder, encoded, filename, limits=limits or Limits())


@pytest.mark.parametrize("filename", ["x.json", "x.jsonl", "x", "x.txt"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_objects(filename: str, indent: int | None, tmp_path: Path) -> None:
    table = array(tmp_path, json.dumps(GOOD, indent=indent), filename)
    assert (table.format, table.encoding, table.delimiter, table.header) == (
        "json",
        "utf-8",
        None,
        None,
    )
    assert table.columns == ("text", "label")
    assert table.rows == [(row["text"], row["label"]) for row in GOOD]


def test_a_row_knows_its_line(tmp_path: Path) -> None:
    table = array(
        tmp_path,
        '\n[\n{"text": "a", "messages": [{}]},\n\n{"text": "b",\n"label": 1} , {"text": "c"}\n]\n',
    )
    assert list(table.lines or ()) == [5, 6]
    assert [(problem.row, problem.line, problem.column) for problem in table.problems] == [
        (1, 3, "messages")
    ]
    assert table.blank_lines == 0


@pytest.mark.parametrize("filename", ["x.csv", "x.tsv"])
def test_a_table_may_begin_with_a_bracket(filename: str, tmp_path: Path) -> None:
    sign = {"x.csv": ",", "x.tsv": "\t"}[filename]
    content = f"text{sign}label\n[{{a}}]{sign}1\n[b]{sign}0\n"
    assert array(tmp_path, content, filename).format == filename[2:]
    assert array(tmp_path, content.split("\n", 1)[1], filename).format == filename[2:]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("[]", "empty_file", "no rows"),
        ("[1, 2]", "json_malformed", "Element 1"),
        ('[{"text": "a"}, "b"]', "json_malformed", "Element 2"),
        ('[{"text": "a"}, [], {}]', "json_malformed", "Element 2"),
        ('[{"text": "a"},\n{"text": "b"', "json_malformed", "Element 2"),
        ('[{"text": "a"},\n{"text": "b}\n]', "json_malformed", "Element 2"),
        ('[{"text": "a"}', "json_malformed", "not closed"),
        ('[{"text": "a"},', "json_malformed", "Element 2"),
        ('[{"text": "a"},]', "json_malformed", "Element 2"),
        ('[{"text": "a"}\n{"text": "b"}]', "json_malformed", "Line 2"),
        ('[{"text": "a"}]\n[]', "json_malformed", "Line 2"),
        ('[{"text": "a"}]}', "json_malformed", "after the end"),
        ('[{"text": "a",\n "label": tru}]', "json_malformed", "line 2"),
        ('[{"text": "a", label: 1}]', "json_malformed", "Element 1"),
        ("[" + '{"a":' * 200_000, "json_malformed", "nested too deeply"),
        ('[{"text": "a"},\n{"text": "\0"}]', "invalid_text", "Line 2"),
        (b'[{"text": "a"},\n{"text": "caf\xe9"}]', "encoding_not_utf8", "Line 2"),
        ('[{"' + "a" * 131_073 + '": "text"}]', "field_too_large", "Element 1"),
        ('[{"text": ["' + "a" * 4_000_000 + '"]}]', "field_too_large", "Element 1"),
        ('[{"text": "' + "a" * 9_000_000, "field_too_large", "Element 1"),
        (
            "[" + ",".join(f'{{"{key}": 1}}' for key in range(1001)) + "]",
            "too_many_columns",
            "Element 1001",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    content: str | bytes, code: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ServiceError, match=words) as refusal:
        array(tmp_path, content)
    assert (refusal.value.status, refusal.value.code) == (422, code)


def test_too_many_elements(tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as refusal:
        array(tmp_path, json.dumps(GOOD * 3), limits=Limits(max_rows=5))
    assert refusal.value.code == "too_many_rows"


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
flat: st.SearchStrategy[Any] = text | st.integers() | st.floats() | st.booleans() | st.none()
value = flat | st.lists(flat, max_size=3) | st.dictionaries(text, flat, max_size=1)
objects = st.lists(
    st.dictionaries(st.sampled_from(["text", "label", "x"]), value), min_size=1, max_size=12
)


@settings(deadline=None)
@given(
    objects=objects,
    indent=st.sampled_from([None, 0, 1]),
    ascii_only=st.booleans(),
    window=st.integers(1, 40),
)
def test_it_reads_as_the_same_objects_a_line_each(
    objects: list[dict[str, Any]], indent: int | None, ascii_only: bool, window: int
) -> None:
    """Whatever part of the text is looked at at a time: its ends fall into every place of a
    value.
    """
    assume(len(objects) > 1)  # a line alone may be a whole table (test_other_shapes)
    content = json.dumps(objects, indent=indent, ensure_ascii=ascii_only)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "WINDOW", window)
        table = array(Path(folder), content)
        lines = read(Path(folder), jsonl_bytes(objects), "x.jsonl")
    assert (table.columns, table.rows, list(table.row_numbers)) == (
        lines.columns,
        lines.rows,
        list(lines.row_numbers),
    )
    assert [(problem.row, problem.code) for problem in table.problems] == [
        (problem.row, problem.code) for problem in lines.problems
    ]


@settings(deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, 120),
            st.integers(0, 6),
            st.sampled_from([*'[]{},:"\\\n 1', "\0", "\\u12", "nul"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_an_array_with_a_few_characters_changed_is_read_as_json_reads_it(
    edits: list[tuple[int, int, str]],
) -> None:
    content = json.dumps(GOOD)
    for start, length, piece in edits:
        content = content[:start] + piece + content[start + length :]
    try:
        whole = json.loads(content)
    except ValueError:
        whole = None
    good = isinstance(whole, list) and bool(whole) and all(isinstance(item, dict) for item in whole)
    refusal: ServiceError | None = None
    with tempfile.TemporaryDirectory() as folder:
        try:
            table = array(Path(folder), content)
            assert table.format != "json" or (good and table.total_rows == len(whole))
        except ServiceError as refused:
            refusal = refused
    if refusal is not None:
        assert refusal.status in (415, 422)
        assert not (good and content.lstrip().startswith("[")), refusal.message
