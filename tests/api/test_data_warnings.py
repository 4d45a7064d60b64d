"""What a job says about its files: their warnings, and the effect of the split."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.test_tasks_and_splits import JOBS, create, index_warnings, upload
from tests.make import csv_bytes


def test_a_job_has_the_warnings_of_its_files(http: TestClient) -> None:
    rows: list[tuple[str, ...]] = [(f"text number {row}", "ab"[row % 2]) for row in range(60)]
    content = csv_bytes([*rows, ("twice", "a"), ("twice", "b"), ("odd", " a")])
    training = upload(http, content.replace(b"\r\n", b"\r\n\r\n", 3))
    validation = upload(http, csv_bytes([("new \ufffd", "a"), ("other", "b")]) + b"\n\n")
    job = create(http, training["id"], validation_file=validation["id"]).json()
    found = index_warnings(job)
    messages = [warning["message"] for warning in job["warnings"]]
    assert len(set(messages)) == len(messages)
    assert [text for text in messages if "Blank lines" in text] == [
        "Blank lines were skipped. Count: 3.",
        "In validation_file: Blank lines were skipped. Count: 2.",
    ]
    assert found["label_blanks"].endswith("Count: 1.")
    assert found["conflicting_duplicates"].endswith("Count: 2.")
    assert found["replacement_characters"].startswith("In validation_file: ")
    assert not {"few_validation_rows", "regression"} & found.keys()
    planned = http.post(
        f"{JOBS}?dry_run=true", json={"training_file": training["id"], "model": "tiny-bert"}
    ).json()
    assert {"blank_lines", "label_blanks"} <= index_warnings(planned).keys()
    counts = {label["label"]: label["count"] for label in planned["dataset"]["labels"]}
    assert sorted(counts) == ["a", "b"]
    assert sum(counts.values()) == planned["dataset"]["rows"]["train"]


def test_unused_columns_do_not_hinder_a_job(http: TestClient) -> None:
    rows = [
        {"text": f"text number {row}", "label": "ab"[row % 2], "meta": {"row": row}}
        for row in range(40)
    ]
    content = "\n".join(map(json.dumps, rows)).encode()
    job = create(http, upload(http, content, "x.jsonl")["id"])
    assert job.status_code == 200, job.text
    assert "meta" in index_warnings(job.json())["unused_columns_ignored"]


def test_rare_labels_that_raise_the_validation_share_are_said(http: TestClient) -> None:
    rows: list[tuple[str, ...]] = [
        (f"text number {row}", f"label {row // 2}") for row in range(120)
    ]
    file = upload(http, csv_bytes(rows))
    warning = index_warnings(create(http, file["id"]).json())["validation_share_raised"]
    assert warning.startswith("60 of 120 rows (50%) are held out for validation instead of 20%")
    enough: list[tuple[str, ...]] = [(f"text number {row}", "ab"[row % 2]) for row in range(120)]
    assert "validation_share_raised" not in index_warnings(
        create(http, upload(http, csv_bytes(enough))["id"]).json()
    )


@pytest.mark.parametrize(
    "setting", [{"split": {"mode": "kfold", "k": 2}}, {"split": {"halve_validation": True}}]
)
def test_other_splits_of_rare_labels(http: TestClient, setting: dict[str, Any]) -> None:
    rows: list[tuple[str, ...]] = [(f"text number {row}", f"label {row // 2}") for row in range(40)]
    job = create(http, upload(http, csv_bytes(rows))["id"], **setting).json()
    assert ("validation_share_raised" in index_warnings(job)) == ("mode" not in setting["split"])


@pytest.mark.parametrize("name", ["validation_file", "test_file"])
def test_a_job_has_the_warnings_of_the_rows_it_is_scored_on(http: TestClient, name: str) -> None:
    """Each of them lowers or repeats scores; what holds of the label set is said once."""
    training = upload(http, csv_bytes([(f"text {row}", "ab"[row % 2]) for row in range(60)]))
    rows: list[tuple[str, ...]] = [(f"new {row}", "ab"[row % 2]) for row in range(200)]
    rows += [("twice", "a"), ("twice", "b"), ("again", "a"), ("again", "a"), ("odd", " a")]
    scored = upload(http, csv_bytes(rows))
    job = create(http, training["id"], **{name: scored["id"]}).json()
    found = index_warnings(job)
    assert found["conflicting_duplicates"].startswith(f"In {name}: Rows have the same text")
    assert found["label_blanks"].startswith(f"In {name}: Spaces")
    assert found["duplicate_rows"] == (
        f"In {name}: Rows repeat the text and label of an earlier row, so they count more than "
        "once in the scores. Count: 1."
    )
    assert not {"imbalanced", "few_rows_of_label", "few_validation_rows"} & found.keys()


def test_rare_labels_of_a_large_test_file_are_said(http: TestClient) -> None:
    training = upload(http, csv_bytes([(f"text {row}", "ab"[row % 2]) for row in range(60)]))
    rows: list[tuple[str, ...]] = [(f"new {row}", "b" if row < 3 else "a") for row in range(200)]
    job = create(http, training["id"], test_file=upload(http, csv_bytes(rows))["id"]).json()
    found = index_warnings(job)
    assert found["few_rows_of_label"].startswith("In test_file: Labels have fewer than 10 rows: b")
    assert "imbalanced" not in found
