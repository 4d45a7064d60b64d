"""Several labels in one cell: lists written as text, joined names, and lists of one label."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import Table, build_validation, load_examples
from shared.datasets.label_lists import find_separator, parse_list_text, unpack_lists
from shared.datasets.label_reading import read_label_column
from shared.datasets.labels import parse_label_set
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskType
from tests.shared.datasets.files import csv_bytes, jsonl_bytes, read
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import labelled, resolve

MULTI_LABEL = "multi_label_classification"
SETS = [["food", "staff"], ["food"], ["price", "staff"]]
INDICES = [(0, 2), (0,), (1, 2)]


def labelled_lists(folder: Path, *labels: object) -> Table:
    rows = [{"text": f"Text {number}", "label": label} for number, label in enumerate(labels)]
    return read(folder, jsonl_bytes(rows), "x.jsonl")


@pytest.mark.parametrize("type_", [None, MULTI_LABEL])
@pytest.mark.parametrize(
    "cells",
    [
        [repr(names) for names in SETS],
        [json.dumps(names) for names in SETS],
        [json.dumps({"choices": names}) for names in SETS],
        [repr({"choices": names}) for names in SETS],
        [repr(tuple(names)) for names in SETS],
        ["['food' 'staff']", "['food']", "['price' 'staff']"],
        ['{"choices": ["food", "staff"]}', "food", "['price', 'staff']"],
        ["[food, staff]", "[food]", "[price, staff]"],
    ],
)
def test_lists_written_as_text(cells: list[str], type_: str | None, tmp_path: Path) -> None:
    table = labelled(tmp_path, *cells)
    task = resolve(table, type=type_)
    assert (task.type, task.label_names) == (TaskType.MULTI_LABEL, ["food", "price", "staff"])
    assert load_examples(table, task).labels == INDICES
    validation = build_validation(table)
    assert validation.valid
    assert warnings(validation)["label_lists_in_text"] == sum(cell != "food" for cell in cells)
    assert {label.label for label in validation.labels or []} == {"food", "price", "staff"}


@pytest.mark.parametrize("mark", ["|", ";", ",", "#", " , ", "; ", "/", " & ", "+"])
def test_joined_names(mark: str, tmp_path: Path) -> None:
    table = labelled(tmp_path, *[mark.join(names) for names in SETS * 2])
    found = build_validation(table)
    assert warnings(found)["labels_joined"] == 4
    assert resolve(table).type is TaskType.SINGLE_LABEL
    task = resolve(table, type=MULTI_LABEL)
    assert task.label_names == ["food", "price", "staff"]
    assert load_examples(table, task).labels == INDICES * 2


def test_the_rows_of_a_validation_file_are_split_at_the_names_of_the_task(tmp_path: Path) -> None:
    task = resolve(
        labelled(tmp_path, "food, staff", "food", "price, staff", "a b"), type=MULTI_LABEL
    )
    assert task.label_names == ["a b", "food", "price", "staff"]
    other = labelled(tmp_path, "price, food", "staff; food", "['a b']", "")
    assert load_examples(other, task).labels == [(1, 2), (1, 3), (0,), ()]
    with pytest.raises(InvalidValue, match="a label that the task does not have: price, drinks"):
        load_examples(labelled(tmp_path, "price, drinks"), task)


@pytest.mark.parametrize(
    "labels",
    [
        ["Smith, Jane", "Smith, John", "Doe, John"],
        ["C#", "C", "F#", "F"],
        ["yes, of course", "no", "never, I say"],
        ["a", "b"],
        ["rec.autos", "sci.space"],
    ],
)
def test_names_with_a_separator_stay_names(labels: list[str], tmp_path: Path) -> None:
    table = labelled(tmp_path, *labels, *labels)
    assert "labels_joined" not in warnings(build_validation(table))
    for type_ in (None, MULTI_LABEL):
        assert resolve(table, type=type_).label_names == sorted(labels)


@pytest.mark.parametrize(
    "label", ["[UNK]", "[joy]", "(a)", "{x}", "[", "['a'", "['a',,'b']", "['a' b]"]
)
def test_other_brackets_are_part_of_a_name(label: str, tmp_path: Path) -> None:
    assert parse_list_text(label) is None
    assert resolve(labelled(tmp_path, label, "z", label, "z")).label_names == sorted([label, "z"])


def test_a_text_that_is_deep_or_long_is_no_list() -> None:
    assert parse_list_text("[" * 50_000 + "]" * 50_000) is None
    assert parse_list_text(f"[{'9' * 50_000}]") == ["9" * 50_000]
    assert parse_list_text("['" + "\\" * 50_000 + "]") is None


def test_lists_of_one_label_are_one_label_a_row_if_the_task_says_so(tmp_path: Path) -> None:
    table = labelled_lists(tmp_path, ["pos"], ["neg"], ["pos"], ["neg"])
    validation = build_validation(table)
    assert validation.valid
    assert warnings(validation)["lists_of_one_label"] == 4
    task = resolve(table, type="single_label_classification")
    assert (task.label_names, load_examples(table, task).labels) == (["neg", "pos"], [1, 0, 1, 0])


def test_only_rows_with_several_labels_are_refused_as_single_labels(tmp_path: Path) -> None:
    table = labelled_lists(tmp_path, ["pos"], ["neg"], ["pos", "neg"])
    with pytest.raises(InvalidValue, match=r"^Row 3 has a list as the label") as refusal:
        resolve(table, type="single_label_classification")
    assert refusal.value.param == "task.type"
    assert "lists_of_one_label" not in warnings(build_validation(table))


name = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="|;,#/&+\0"
    ),
    min_size=1,
    max_size=8,
).filter(lambda text: text[0] not in "[({")
label_sets = st.lists(st.lists(name, min_size=1, max_size=4, unique=True), min_size=1, max_size=8)


@settings(deadline=None)
@given(label_sets, st.sampled_from([repr, json.dumps, lambda names: json.dumps({"labels": names})]))
def test_any_list_is_read_back_from_its_text(sets: list[list[str]], write: object) -> None:
    assert callable(write)
    cells = unpack_lists([write(names) for names in sets])
    assert [list(parse_label_set(cell)) for cell in cells] == sets


@settings(deadline=None)
@given(label_sets, st.sampled_from("|;,#/&+"))
def test_names_that_also_stand_alone_are_split(sets: list[list[str]], mark: str) -> None:
    names = sorted({name for found in sets for name in found})
    cells = [mark.join(found) for found in sets] + names
    multi = read_label_column(cells, TaskType.MULTI_LABEL, None).cells
    assert [list(parse_label_set(cell)) for cell in multi] == sets + [[name] for name in names]
    assert (find_separator(cells) == mark) == any(len(found) > 1 for found in sets)
    again = read_label_column(cells, TaskType.MULTI_LABEL, names).cells
    assert list(map(parse_label_set, again)) == list(map(parse_label_set, multi))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(st.sampled_from("ab01,;#|[]'\" ."), max_size=6).map(str.strip), max_size=8))
def test_the_names_that_a_column_yields_read_it_in_the_same_way(cells: list[str]) -> None:
    first = read_label_column(cells, TaskType.MULTI_LABEL, None).cells
    names = {name for cell in first for name in parse_label_set(cell)}
    if any(not name or "|" in name for name in names) or not names:
        return
    again = read_label_column(cells, TaskType.MULTI_LABEL, sorted(names)).cells
    assert list(map(parse_label_set, again)) == list(map(parse_label_set, first))


def test_a_list_and_a_text_that_looks_like_it_are_read_alike(tmp_path: Path) -> None:
    table = labelled_lists(tmp_path, ["a"], '["a"]', ["b"], "b")
    task = resolve(table)
    assert (task.label_names, load_examples(table, task).labels) == (
        ["a", "b"],
        [(0,), (0,), (1,), (1,)],
    )


def test_lists_of_objects_are_no_labels(tmp_path: Path) -> None:
    table = labelled(tmp_path, '[{"start": 0, "labels": ["a"]}]', "b", '[["a"]]', "b")
    assert [error.code for error in build_validation(table).errors] == ["nested_value"] * 2
    for type_ in (None, MULTI_LABEL, "single_label_classification"):
        with pytest.raises(InvalidValue, match=r"^2 rows \(1, 3\) have a JSON object, or"):
            resolve(table, type=type_)


def test_a_list_in_a_cell_of_csv_is_no_single_label(tmp_path: Path) -> None:
    rows = [["text", "label"], ["a", "['x', 'y']"], ["b", "['x']"]]
    with pytest.raises(InvalidValue, match="Row 1 has a list as the label"):
        resolve(read(tmp_path, csv_bytes(rows)), type="single_label_classification")


@pytest.mark.parametrize("form", ['{"label": "{0}"}', '{"name": "{0}", "id": 3}'])
def test_an_object_is_no_label(form: str, tmp_path: Path) -> None:
    table = labelled(tmp_path, *(form.replace("{0}", label) for label in ["pos", "neg"] * 5))
    errors = build_validation(table).errors
    assert [error.code for error in errors] == ["nested_value"] * 10
    with pytest.raises(InvalidValue, match="Write the name of the label"):
        resolve(table)
