"""Values that cannot be read hinder only a task that uses their column."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import Limits, Table, build_validation, load_examples
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import Rows, csv_bytes, parquet_bytes, read, tsv_bytes
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import resolve

ROWS = 12
TEXTS = [f"The hall was warm on day {row}" for row in range(ROWS)]
LABELS = ["neg", "pos"] * (ROWS // 2)


def read_json(folder: Path, values: list[str], column: str = "meta") -> Table:
    """Read rows with the given JSON values in a further column."""
    lines = [
        f'{{"{column}": {value}, "text": "{text}", "label": "{label}"}}'
        for value, text, label in zip(values, TEXTS, LABELS, strict=True)
    ]
    return read(folder, "\n".join(lines).encode(), "x.jsonl")


def read_typed(folder: Path, values: Any, name: str = "meta") -> Table:
    columns = {name: values, "text": TEXTS, "label": LABELS}
    return read(folder, parquet_bytes(columns), "x.parquet")


def check_ignored(table: Table, column: str = "meta") -> None:
    """Check that the table trains, and that the profile says which column it ignores."""
    validation = build_validation(table)
    assert (validation.valid, validation.errors_total) == (True, 0)
    [said] = [one for one in validation.warnings if one.code == "unused_columns_ignored"]
    assert (said.count, said.message.endswith(f": {column}.")) == (1, True)
    examples = load_examples(table, resolve(table))
    assert (list(examples.texts), list(examples.labels)) == (TEXTS, [0, 1] * (ROWS // 2))


@pytest.mark.parametrize(
    "value",
    ["{}", '{"src": "mail"}', "NaN", "-Infinity", '["a", null]', "[[1, 2]]", "[0.5, NaN]", "1e999"],
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_json_values(value: str, *, everywhere: bool, tmp_path: Path) -> None:
    check_ignored(read_json(tmp_path, [value if everywhere else "1"] * (ROWS - 1) + [value]))


def make_arrow_values(kind: str) -> Any:
    import pyarrow as pa

    numbers = list(range(ROWS))
    match kind:
        case "vector":
            return pa.array([[0.1, 0.2]] * ROWS, pa.list_(pa.float32()))
        case "fixed vector":
            return pa.array([[0.1, 0.2]] * ROWS, pa.list_(pa.float32(), 2))
        case "null in a list":
            return pa.array([["a", None]] * ROWS)
        case "struct":
            return pa.array([{"a": 1, "b": {"c": [1]}}] * ROWS)
        case "map":
            return pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int64()))
        case "bytes":
            return pa.array([b"\xff"] * ROWS)
        case "uuid":
            return pa.array([number.to_bytes(16, "big") for number in numbers], pa.binary(16))
        case "nan":
            return pa.array([float("nan")] * ROWS)
        case _:
            return pa.array(numbers, pa.duration("s"))


@pytest.mark.parametrize(
    "kind",
    ["vector", "fixed vector", "null in a list", "struct", "map", "bytes", "uuid", "nan", "time"],
)
def test_parquet_values(kind: str, tmp_path: Path) -> None:
    check_ignored(read_typed(tmp_path, make_arrow_values(kind)))


def test_columns_with_dots_and_shared_names_keep_their_values(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    struct = pa.array([{"b": "wrong"}] * ROWS)
    columns = [struct, pa.array(TEXTS), pa.array(LABELS), pa.array(["x"] * ROWS)]
    table = pa.Table.from_arrays(columns, names=["a", "a.b", "label", "a"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    read_back = read(tmp_path, bytes(sink.getvalue().to_pybytes()), "x.parquet")
    assert read_back.columns == ("a", "a.b", "label", "a")
    assert read_back.get_cells(1) == TEXTS
    assert read_back.get_cells(3) == ["x"] * ROWS


def test_an_embedding_is_never_unpacked(tmp_path: Path) -> None:
    """Vectors above the limit of what a file may unpack to."""
    vectors = [[row + number / 7 for number in range(500)] for row in range(ROWS)]
    content = parquet_bytes({"text": TEXTS, "label": LABELS, "meta": vectors})
    limits = Limits(max_decompressed_bytes=4_000)
    check_ignored(read(tmp_path, content, "x.parquet", limits=limits))


@pytest.mark.parametrize("filename", ["x.csv", "x.tsv"])
def test_a_long_text_in_a_delimited_file(filename: str, tmp_path: Path) -> None:
    write: Callable[[Rows], bytes] = csv_bytes if filename == "x.csv" else tsv_bytes
    rows = [[text, label, "note"] for text, label in zip(TEXTS, LABELS, strict=True)]
    rows[3][2] = "word " * 40_000
    header = ["text", "label", "notes"]
    check_ignored(read(tmp_path, write([header, *rows]), filename), "notes")
    rows[4][0] = "word " * 40_000
    validation = build_validation(read(tmp_path, write([header, *rows]), filename))
    [problem] = validation.errors
    assert (problem.row, problem.line, problem.column) == (5, 6, "text")
    assert problem.code == "field_too_large"
    assert "200,000 characters" in problem.message
    assert "split it" in problem.message


@pytest.mark.parametrize("filename", ["x.jsonl", "x.parquet"])
def test_a_long_text_in_a_typed_file(filename: str, tmp_path: Path) -> None:
    texts = [*TEXTS[:-1], "x" * 131_073]
    table = (
        read(tmp_path, parquet_bytes({"text": texts, "label": LABELS}), filename)
        if filename == "x.parquet"
        else read_json(tmp_path, [json.dumps(text) for text in texts], "body")
    )
    task = TaskRequest(text_column=0)
    [problem] = build_validation(table, task).errors
    assert (problem.row, problem.code) == (ROWS, "field_too_large")
    assert "131,073 characters" in problem.message


def test_a_quote_that_swallows_rows_is_named(tmp_path: Path) -> None:
    content = b'text,label\n"' + b"a line,pos\n" * 20_000 + b'",neg\ngood,pos\n'
    [problem] = build_validation(read(tmp_path, content)).errors
    assert (problem.row, problem.line, problem.code) == (1, 2, "field_too_large")
    assert "close its quote" in problem.message


def test_bytes_as_text_are_to_be_cast(tmp_path: Path) -> None:
    content = parquet_bytes({"text": [text.encode() for text in TEXTS], "label": LABELS})
    table = read(tmp_path, content, "x.parquet")
    validation = build_validation(table)
    assert (validation.valid, validation.errors_total) == (False, ROWS)
    assert "duplicate_rows" not in warnings(validation)
    with pytest.raises(InvalidValue, match=r"column 'text' .* bytes\. Cast it to string") as error:
        resolve(table)
    assert error.value.param == "task.text_column"


@pytest.mark.parametrize("role", ["text_column", "text_pair_column", "label_column"])
@pytest.mark.parametrize("task_type", [None, "multi_label_classification", "regression"])
def test_use_of_the_column_is_refused(role: str, task_type: str | None, tmp_path: Path) -> None:
    table = read_json(tmp_path, ["1"] * (ROWS - 1) + ["{}"])
    request = {"text_column": "text", "label_column": "label", role: "meta", "type": task_type}
    [problem] = [
        problem
        for problem in build_validation(table, TaskRequest.model_validate(request)).errors
        if problem.column == "meta"
    ]
    assert (problem.row, problem.code) == (ROWS, "nested_value")
    with pytest.raises(InvalidValue, match=f"Row {ROWS} has a value in column 'meta'"):
        resolve(table, **request)


def test_grouping_by_the_column_is_refused(tmp_path: Path) -> None:
    table = read_json(tmp_path, ["1"] * (ROWS - 1) + ["NaN"])
    with pytest.raises(InvalidValue, match="NaN and infinity") as error:
        load_examples(table, resolve(table), group_by="meta")
    assert error.value.param == "split.group_by"


def test_columns_that_are_not_known_yet(tmp_path: Path) -> None:
    content = b'{"foo": "a", "bar": {}, "baz": 1}\n{"foo": "b", "bar": 1, "baz": 0}\n'
    found = warnings(build_validation(read(tmp_path, content, "x.jsonl")))
    assert found == {"columns_not_detected": 1, "unreadable_values": 1}


def test_a_file_without_any_readable_column_names_one(tmp_path: Path) -> None:
    from shared.datasets.errors import ParquetColumnNotSupported

    with pytest.raises(ParquetColumnNotSupported, match=r"Column 'body' .* bytes\. Cast it"):
        read(tmp_path, parquet_bytes({"body": [b"x"], "vec": [[0.5]]}), "x.parquet")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(json_values, min_size=ROWS, max_size=ROWS))
def test_no_json_value_of_another_column_changes_the_examples(values: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        table = read_json(Path(folder), [json.dumps(value) for value in values])
    examples = load_examples(table, resolve(table))
    assert (list(examples.texts), len(examples.labels)) == (TEXTS, ROWS)


def test_texts_that_no_column_of_the_task_reads_are_named(tmp_path: Path) -> None:
    second = [f"It was cold outside on day {row}, they said" for row in range(ROWS)]
    rows = [("text", "remark", "label"), *zip(TEXTS, second, LABELS, strict=True)]
    table = read(tmp_path, csv_bytes(rows))
    [said] = [one for one in build_validation(table).warnings if one.code == "unused_text_columns"]
    assert (said.count, said.message) == (
        1,
        "Columns hold texts that the task does not use: remark. If the task is about pairs of "
        "texts, set task.text_pair_column.",
    )


def test_numbers_and_categories_that_are_not_used_are_not_worth_a_word(tmp_path: Path) -> None:
    table = read_typed(tmp_path, list(range(ROWS)), name="length")
    assert "unused_text_columns" not in warnings(build_validation(table))
    other = read_typed(tmp_path, ["web", "mail"] * (ROWS // 2), name="source")
    assert "unused_text_columns" not in warnings(build_validation(other))
