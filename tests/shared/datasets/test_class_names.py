"""Class numbers of a Parquet file become the names that its metadata gives them."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import Table, build_validation, load_examples
from shared.datasets.class_names import build_class_names, parse_parquet_features
from tests.shared.datasets.files import read
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import resolve

NEGATIVE_POSITIVE = {"names": ["negative", "positive"], "_type": "ClassLabel"}


def read_labels(folder: Path, labels: list[Any], feature: object) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [f"The hall was warm on day {row}" for row in range(len(labels))]
    info = {"info": {"features": {"text": {"_type": "Value"}, "label": feature}}}
    table = pa.table({"text": texts, "label": labels})
    table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return read(folder, bytes(sink.getvalue().to_pybytes()), "x.parquet")


def test_names_are_labels_and_said(tmp_path: Path) -> None:
    table = read_labels(tmp_path, [0, 1] * 10, NEGATIVE_POSITIVE)
    assert resolve(table).label_names == ["negative", "positive"]
    assert table.get_cells(1) == ["negative", "positive"] * 10
    [said] = [w for w in build_validation(table).warnings if w.code == "class_names_of_file"]
    assert "0 is negative, 1 is positive" in said.message


def test_minus_one_is_no_label(tmp_path: Path) -> None:
    validation = build_validation(read_labels(tmp_path, [-1, 0, 1, 0, 1], NEGATIVE_POSITIVE))
    assert [(problem.row, problem.code) for problem in validation.errors] == [(1, "empty_label")]


def test_a_task_with_class_numbers_reads_numbers(tmp_path: Path) -> None:
    # of a job that was created before names were read
    table = read_labels(tmp_path, [-1, 0, 1, 1], NEGATIVE_POSITIVE)
    earlier = resolve(read_labels(tmp_path, [0, 1] * 10, NEGATIVE_POSITIVE))
    task = earlier.model_copy(update={"label_names": ["-1", "0", "1"]})
    assert load_examples(table, task).labels == [0, 1, 2, 2]


def test_names_that_are_numbers_are_not_restored(tmp_path: Path) -> None:
    table = read_labels(tmp_path, [0, 1] * 10, {"names": ["1", "0"], "_type": "ClassLabel"})
    assert load_examples(table, resolve(table)).labels == [1, 0] * 10


@pytest.mark.parametrize("kind", ["Sequence", "List"])
def test_lists_of_classes_are_lists_of_names(kind: str, tmp_path: Path) -> None:
    feature = {"feature": NEGATIVE_POSITIVE, "_type": kind}
    table = read_labels(tmp_path, [[0], [1, 0], []], feature)
    assert table.get_cells(1) == ['["negative"]', '["positive", "negative"]', "[]"]


def test_numbers_without_a_name_stay(tmp_path: Path) -> None:
    assert read_labels(tmp_path, [0, 7], NEGATIVE_POSITIVE).get_cells(1) == ["negative", "7"]


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "{}", '{"info": null}', '{"info": {"features": []}}', "[" * 100_000],
)
def test_metadata_of_another_form_name_nothing(text: str | None) -> None:
    assert parse_parquet_features(text) == {}


def test_names_by_number_of_a_card() -> None:
    assert build_class_names({"0": "no", "1": "yes"}) == {"-1": "", "0": "no", "1": "yes"}
    assert build_class_names("no") == {}


@settings(deadline=None, max_examples=10)
@given(
    st.lists(
        st.text("abcdé 0123", min_size=1, max_size=8).map(str.strip).filter(bool),
        min_size=2,
        max_size=5,
        unique=True,
    ),
    st.data(),
)
def test_every_row_has_the_name_of_its_class(names: list[str], data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=20))
    with TemporaryDirectory() as folder:
        feature = {"names": names, "_type": "ClassLabel"}
        table = read_labels(Path(folder), numbers, feature)
    assert table.get_cells(1) == [names[number] for number in numbers]
    assert warnings(build_validation(table))["class_names_of_file"] == len(names)
