"""Tasks as asked become tasks with a value for everything, or a refusal that names the field."""

from pathlib import Path
from typing import Any

import pytest

from shared.datasets import load_examples, resolve_task
from shared.domain.task import Task, TaskRequest, TaskType
from tests.shared.datasets.files import REVIEWS, csv_bytes, jsonl_bytes, read
from tests.shared.datasets.tasks import labelled, resolve


def test_everything_gets_a_value(tmp_path: Path) -> None:
    assert resolve(read(tmp_path, csv_bytes(REVIEWS))) == Task(
        type=TaskType.SINGLE_LABEL,
        text_column="text",
        text_pair_column=None,
        label_column="label",
        header=True,
        label_names=["neg", "pos"],
        positive_label="pos",
        max_seq_length=128,
    )


def test_columns_without_names_are_kept_by_index(tmp_path: Path) -> None:
    table = read(tmp_path, csv_bytes(REVIEWS[1:]), header=False)
    task = resolve(table, text_column=0, label_column=1, header=False)
    assert (task.header, task.text_column, task.label_column) == (False, 0, 1)


def test_a_shared_name_is_kept_by_index(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        csv_bytes(
            [
                ["text", "text", "label"],
                ["a", "b", "x"],
                ["a", "b", "y"],
                ["c", "d", "x"],
                ["e", "f", "y"],
            ]
        ),
    )
    assert resolve(table, text_column=1).text_column == 1


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", "B"], ["B", "a", "b"]),
        (["10", "9", "2"], ["2", "9", "10"]),
        (["1", "-1", "0"], ["-1", "0", "1"]),
        (["1", "x", "10"], ["1", "10", "x"]),
        (["1.0", "0.0"], ["0.0", "1.0"]),
        ([" pos", "pos", "neg "], ["neg", "pos"]),
        (["None", "NA"], ["NA", "None"]),
    ],
)
def test_the_order_of_labels(labels: list[str], names: list[str], tmp_path: Path) -> None:
    assert resolve(labelled(tmp_path, *labels, *labels)).label_names == names


def test_given_names_and_their_order(tmp_path: Path) -> None:
    table = labelled(tmp_path, "yes", "no", "yes", "no")
    task = resolve(table, label_names=["yes", "no"], positive_label="yes")
    assert (task.label_names, task.positive_label) == (["yes", "no"], "yes")
    three = resolve(table, label_names=["yes", "no", "unseen"])
    assert (three.label_names, three.positive_label) == (["yes", "no", "unseen"], None)


@pytest.mark.parametrize(
    ("max_positions", "asked", "length"),
    [(512, "auto", 128), (64, "auto", 64), (512, 300, 300), (512, 512, 512)],
)
def test_length(max_positions: int, asked: Any, length: int, tmp_path: Path) -> None:
    request = TaskRequest(max_seq_length=asked)
    assert (
        resolve_task(
            request, read(tmp_path, csv_bytes(REVIEWS)), max_positions=max_positions
        ).max_seq_length
        == length
    )


def test_one_row_of_a_label_is_enough_when_nothing_is_split_off(tmp_path: Path) -> None:
    table = labelled(tmp_path, "a", "b")
    assert resolve_task(
        TaskRequest(), table, max_positions=512, needs_validation_split=False
    ).label_names == [
        "a",
        "b",
    ]


def test_numbers_that_are_no_class_numbers_make_a_regression(tmp_path: Path) -> None:
    task = resolve(labelled(tmp_path, "0.5", "1.5", "2.5", "0.5"))
    assert (task.type, task.label_names, task.positive_label) == (TaskType.REGRESSION, [], None)
    assert (task.output_names, task.num_outputs) == (["score"], 1)
    assert (
        resolve(labelled(tmp_path, "1", "2", "1", "2"), type="regression").type
        is TaskType.REGRESSION
    )


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b|a", "", "a", "c | b"], ["a", "b", "c"]),
        (["10|9", "2", ""], ["2", "9", "10"]),
    ],
)
def test_sets_of_labels(labels: list[str], names: list[str], tmp_path: Path) -> None:
    task = resolve(labelled(tmp_path, *labels), type="multi_label_classification")
    assert (task.type, task.label_names, task.positive_label) == (TaskType.MULTI_LABEL, names, None)


def test_lists_are_sets_of_labels_without_being_asked(tmp_path: Path) -> None:
    rows = [
        {"text": f"t{i}", "labels": labels}
        for i, labels in enumerate((["x"], [], ["y", "x"], None))
    ]
    table = read(tmp_path, jsonl_bytes(rows), "x.jsonl")
    assert resolve(table).label_names == ["x", "y"]
    assert load_examples(table, resolve(table)).labels == [(0,), (), (0, 1), ()]


def test_numbers_are_classes_if_the_task_says_so(tmp_path: Path) -> None:
    table = labelled(tmp_path, "0.5", "1.5", "1.5", "0.5")
    assert resolve(table, type="single_label_classification").label_names == ["0.5", "1.5"]
