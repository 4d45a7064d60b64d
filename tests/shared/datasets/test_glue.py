"""GLUE files as their authors publish them; the folder comes from ``EVENKEEL_GLUE_DIR``."""

import os
from pathlib import Path

import pytest

from shared.datasets import build_validation, load_examples, read_table, resolve_task
from shared.domain.task import TaskRequest, TaskType

FOLDER = os.environ.get("EVENKEEL_GLUE_DIR")

pytestmark = pytest.mark.skipif(not FOLDER, reason="EVENKEEL_GLUE_DIR is not set")


@pytest.mark.parametrize(
    ("name", "rows", "task"),
    [
        ("RTE/train.tsv", 2490, TaskRequest()),
        ("RTE/dev.tsv", 277, TaskRequest()),
        ("CoLA/train.tsv", 8551, TaskRequest(text_column=3, label_column=1)),
        ("CoLA/dev.tsv", 1043, TaskRequest(text_column=3, label_column=1)),
    ],
)
def test_classification(name: str, rows: int, task: TaskRequest) -> None:
    table = read_table(Path(FOLDER or "") / name, name)
    assert (len(table.rows), table.problems_total) == (rows, 0)
    assert build_validation(table, task).valid
    assert len(load_examples(table, resolve_task(task, table, max_positions=512))) == rows


@pytest.mark.parametrize(("name", "rows"), [("STS-B/train.tsv", 5749), ("STS-B/dev.tsv", 1500)])
def test_regression_is_recognised(name: str, rows: int) -> None:
    table = read_table(Path(FOLDER or "") / name, name)
    assert (len(table.rows), table.problems_total) == (rows, 0)
    task = resolve_task(TaskRequest(), table, max_positions=512)
    assert (task.type, task.label_names, task.num_outputs) == (TaskType.REGRESSION, [], 1)
    labels = load_examples(table, task).labels
    assert all(isinstance(label, float) and 0 <= label <= 5 for label in labels)
