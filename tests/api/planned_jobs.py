"""Jobs that are planned and created to read their warnings."""

from collections.abc import Sequence
from typing import Any

from fastapi.testclient import TestClient

from tests.api.test_tasks_and_splits import JOBS, create, index_warnings, upload
from tests.make import csv_bytes

GIVEN = {"reinit_layers": 1, "max_steps": 40, "precision": "float32", "learning_rate": 6.4e-4}
"""A recipe without pilots."""


def make_rows(labels: Sequence[str], name: str) -> bytes:
    """Return a CSV file of a row per label, with texts of its own."""
    return csv_bytes([(f"{name} {row}", label) for row, label in enumerate(labels)])


def upload_rows(http: TestClient, content: bytes, name: str = "data.csv") -> str:
    return str(upload(http, content, name)["id"])


def get_warnings(http: TestClient, file_id: str, **request: Any) -> dict[str, str]:
    """Return code -> message of the dry run's warnings, which must be those of the created job."""
    body = {"training_file": file_id, "model": "tiny-bert", **request}
    planned = http.post(JOBS, params={"dry_run": "true"}, json=body)
    assert planned.status_code == 200, planned.text
    created = create(http, file_id, **request).json()
    assert planned.json()["warnings"] == created["warnings"]
    # one of each code, or of each code and file
    messages = [(warning["code"], warning["message"]) for warning in created["warnings"]]
    assert len(messages) == len(set(messages))
    return index_warnings(created)
