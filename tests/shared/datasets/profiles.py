"""Profiles of small files, and their warnings by code."""

from pathlib import Path

from shared.datasets import Validation, build_validation
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import Rows, csv_bytes, read


def profile(folder: Path, rows: Rows, task: TaskRequest | None = None) -> Validation:
    return build_validation(read(folder, csv_bytes(rows)), task)


def warnings(validation: Validation) -> dict[str, int]:
    return {warning.code: warning.count for warning in validation.warnings}
