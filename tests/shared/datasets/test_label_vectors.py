"""Vectors with one number for each label are refused, or read by ``task.label_names``."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import build_validation, load_examples
from shared.datasets.label_reading import read_label_column
from shared.datasets.label_vectors import has_vectors
from shared.datasets.labels import parse_label_set
from shared.datasets.readers.cells import ListCell
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest, TaskType
from tests.shared.datasets.files import csv_bytes, jsonl_bytes, parquet_bytes, read
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import labelled, resolve

VECTORS = [[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 0]]
NAMES = ["food", "staff", "price"]
LABELS = [(0,), (1, 2), (), (0, 1)]


def write_jsonl(vectors: list[list[int]]) -> tuple[bytes, str]:
    rows = [{"text": f"t{i}", "labels": vector} for i, vector in enumerate(vectors)]
    return jsonl_bytes(rows), "x.jsonl"


def write_booleans(vectors: list[list[int]]) -> tuple[bytes, str]:
    rows = [{"text": f"t{i}", "labels": list(map(bool, v))} for i, v in enumerate(vectors)]
    return jsonl_bytes(rows), "x.jsonl"


def write_floats(vectors: list[list[int]]) -> tuple[bytes, str]:
    rows = [{"text": f"t{i}", "labels": list(map(float, v))} for i, v in enumerate(vectors)]
    return jsonl_bytes(rows), "x.jsonl"


def write_parquet(vectors: list[list[int]]) -> tuple[bytes, str]:
    texts = [f"t{i}" for i in range(len(vectors))]
    return parquet_bytes({"text": texts, "labels": vectors}), "x.parquet"


def write_text(vectors: list[list[int]]) -> tuple[bytes, str]:
    rows = [{"text": f"t{i}", "labels": str(vector)} for i, vector in enumerate(vectors)]
    return jsonl_bytes(rows), "x.jsonl"


def write_numpy(vectors: list[list[int]]) -> tuple[bytes, str]:
    rows = [
        {"text": f"t{i}", "labels": f"[{'. '.join(map(str, vector))}.]"}
        for i, vector in enumerate(vectors)
    ]
    return jsonl_bytes(rows), "x.jsonl"


def write_with(mark: str) -> Callable[[list[list[int]]], tuple[bytes, str]]:
    def write(vectors: list[list[int]]) -> tuple[bytes, str]:
        rows = [["text", "labels"]]
        rows += [[f"t{i}", mark.join(map(str, vector))] for i, vector in enumerate(vectors)]
        return csv_bytes(rows), "x.csv"

    return write


WRITERS = [
    write_jsonl,
    write_booleans,
    write_floats,
    write_parquet,
    write_text,
    write_numpy,
    *map(write_with, ",| ;"),
]


@pytest.mark.parametrize("write", WRITERS)
def test_vectors_are_refused_with_the_cure(write: object, tmp_path: Path) -> None:
    assert callable(write)
    table = read(tmp_path, *write(VECTORS))
    for type_ in (None, "multi_label_classification", "single_label_classification"):
        with pytest.raises(InvalidValue, match=r"Set task\.label_names to the 3 names") as refusal:
            resolve(table, type=type_)
        assert refusal.value.param == "task.label_names"
    validation = build_validation(table)
    assert (validation.valid, validation.errors_total, validation.labels) == (False, 4, [])
    assert {error.code for error in validation.errors} == {"label_vectors"}
    found = warnings(validation)
    assert found["label_vectors"] == 4
    assert found.keys() <= {"label_vectors", "label_lists_in_text"}


@pytest.mark.parametrize("write", WRITERS)
def test_names_in_their_order_read_vectors(write: object, tmp_path: Path) -> None:
    assert callable(write)
    table = read(tmp_path, *write(VECTORS))
    task = resolve(table, label_names=NAMES)
    assert (task.type, task.label_names) == (TaskType.MULTI_LABEL, NAMES)
    assert load_examples(table, task).labels == LABELS
    validation = build_validation(table, TaskRequest(label_names=NAMES))
    assert validation.valid
    assert {label.label: label.count for label in validation.labels or []} == {
        "food": 2,
        "staff": 2,
        "price": 1,
    }


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", "d"]])
def test_too_few_or_too_many_names_do_not_read_vectors(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="a vector of 3 numbers"):
        resolve(read(tmp_path, *write_jsonl(VECTORS)), label_names=names)


def test_a_single_one_in_every_row_is_a_single_label_if_the_task_says_so(tmp_path: Path) -> None:
    table = read(tmp_path, *write_jsonl([[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]]))
    with pytest.raises(InvalidValue, match="a vector of 3 numbers"):
        resolve(table)
    task = resolve(table, type="single_label_classification", label_names=NAMES)
    assert load_examples(table, task).labels == [1, 0, 1, 0]


def test_no_or_two_ones_are_no_single_label(tmp_path: Path) -> None:
    table = read(tmp_path, *write_jsonl([[0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]]))
    with pytest.raises(InvalidValue, match="Row 3 has a list as the label"):
        resolve(table, type="single_label_classification", label_names=NAMES)
    table = read(tmp_path, *write_jsonl([[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]]))
    with pytest.raises(InvalidValue, match="Row 3 has no label"):
        resolve(table, type="single_label_classification", label_names=NAMES)


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([["0.1", "0.7", "0.2"], ["0.5", "0.2", "0.3"]], True),
        ([["0", "2", "0"], ["1", "0", "3"]], True),
        ([["1", "0", "0"], ["1", "0"]], True),
        ([["0"], ["1"], ["0", "1"]], False),
        ([["0"], ["1"]], False),
        ([["3", "7"], ["1", "2"]], False),
        ([["a", "b"], ["b", "c"]], False),
        ([[], []], False),
    ],
)
def test_which_lists_are_vectors(lists: list[list[str]], *, expected: bool) -> None:
    assert has_vectors([ListCell.from_values(values) for values in lists]) is expected


def test_scores_have_no_reading(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "labels": [0.1, 0.7, 0.2 + i]} for i in range(4)]
    with pytest.raises(InvalidValue, match="a vector of 3 numbers"):
        resolve(read(tmp_path, jsonl_bytes(rows), "x.jsonl"), label_names=NAMES)


def test_labels_named_0_and_1_stay_labels(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "labels": v} for i, v in enumerate([["0"], ["1"], ["0", "1"]])]
    task = resolve(read(tmp_path, jsonl_bytes(rows), "x.jsonl"))
    assert task.label_names == ["0", "1"]
    assert resolve(labelled(tmp_path, "0", "1", "1", "0")).type is TaskType.SINGLE_LABEL


@settings(deadline=None)
@given(
    st.integers(2, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=8
        )
    )
)
def test_any_vectors_mean_the_names_of_their_ones(vectors: list[list[bool]]) -> None:
    cells = [ListCell.from_values(str(int(bit)) for bit in vector) for vector in vectors]
    assert has_vectors(cells)
    names = [f"label {place}" for place in range(len(vectors[0]))]
    labels = read_label_column(cells, None, names)
    assert labels.type is TaskType.MULTI_LABEL
    assert [parse_label_set(cell) for cell in labels.cells] == [
        tuple(name for name, bit in zip(names, vector, strict=True) if bit) for vector in vectors
    ]
