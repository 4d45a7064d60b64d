"""Small labelled tables and their resolved tasks."""

from pathlib import Path
from typing import Any

from shared.datasets import Table, resolve_task
from shared.domain.task import Task, TaskRequest
from tests.shared.datasets.files import csv_bytes, read


def labelled(folder: Path, *labels: str) -> Table:
    rows = [[f"Text {number}, long enough.", label] for number, label in enumerate(labels, start=1)]
    return read(folder, csv_bytes([["text", "label"], *rows]))


def resolve(table: Table, **request: Any) -> Task:
    return resolve_task(TaskRequest(**request), table, max_positions=512)
