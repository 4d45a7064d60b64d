"""Examples of training and validation files under one task."""

from pathlib import Path

import pytest

from shared.datasets import load_examples, resolve_task
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskRequest
from tests.shared.datasets.files import REVIEWS, csv_bytes, parquet_bytes, read, tsv_bytes

PAIRS = [
    ["id", "question", "sentence", "label"],
    ["0", 'Who said "no"?', "Ann did.", "entailment"],
    ["1", "When?", 'Nobody "knows', "not_entailment"],
    ["2", "Where?", "Here.", "entailment "],
    ["3", "Why?", "Because.", "not_entailment"],
]


def task_for(folder: Path, content: bytes, filename: str = "data.csv") -> Task:
    return resolve_task(TaskRequest(), read(folder, content, filename), max_positions=512)


def test_single_texts(tmp_path: Path) -> None:
    task = task_for(tmp_path, csv_bytes(REVIEWS))
    examples = load_examples(read(tmp_path, csv_bytes(REVIEWS), header=task.header), task)
    assert examples.texts == [row[0] for row in REVIEWS[1:]]
    assert examples.second_texts is None
    assert examples.labels == [1, 0, 0, 1, 0, 1]
    assert len(examples) == 6


def test_pairs_of_texts(tmp_path: Path) -> None:
    task = task_for(tmp_path, tsv_bytes(PAIRS), "dev.tsv")
    examples = load_examples(read(tmp_path, tsv_bytes(PAIRS), "dev.tsv"), task)
    assert list(zip(examples.texts, examples.second_texts or [], examples.labels, strict=True)) == [
        ('Who said "no"?', "Ann did.", 0),
        ("When?", 'Nobody "knows', 1),
        ("Where?", "Here.", 0),
        ("Why?", "Because.", 1),
    ]


def test_a_validation_file_may_have_another_format_and_order_of_columns(tmp_path: Path) -> None:
    task = task_for(tmp_path, csv_bytes(REVIEWS))
    other = read(
        tmp_path, parquet_bytes({"label": ["pos", "neg"], "text": ["Good", "Bad"]}), "x.parquet"
    )
    examples = load_examples(other, task, param="validation_file")
    assert (examples.texts, examples.labels) == (["Good", "Bad"], [1, 0])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [["text", "label"], ["Good", "pos"], ["Bad", "bad"]],
            "Row 2 has a label that the task does not have: bad. The task's labels are neg, pos.",
        ),
        ([["text", "label"], ["Good", "pos"], ["Bad", ""]], "Row 2 has no label"),
        ([["text", "label"], ["", "pos"]], "Row 1 has no text"),
        (
            [["review", "label"], ["Good", "pos"]],
            "no column with this name. The columns are: review, label. (task.text_column)",
        ),
        ([["text", "label"], ["Good", "pos", "?"]], "1 of the file's 1 row cannot be read"),
    ],
)
def test_a_validation_file_that_does_not_fit(
    rows: list[list[str]], words: str, tmp_path: Path
) -> None:
    task = task_for(tmp_path, csv_bytes(REVIEWS))
    table = read(tmp_path, csv_bytes(rows), header=True)
    with pytest.raises(InvalidValue) as refusal:
        load_examples(table, task, param="validation_file")
    assert refusal.value.param == "validation_file"
    assert words in refusal.value.message
