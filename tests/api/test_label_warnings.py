"""What a job and its dry run warn of before training: labels without rows, and useless metrics."""

from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.planned_jobs import GIVEN, get_warnings, make_rows, upload_rows
from tests.make import csv_bytes, review_csv
from tests.shared.datasets.files import jsonl_bytes

EXPECTED = {
    "small_validation_set",
    "checkpoint_chosen_on_same_rows",
    "threads_by_run_count",  # on a machine with more cores than runs
}
"""Warnings of an ordinary file of 200 rows."""


def plant(
    http: TestClient,
    training: Sequence[str],
    *,
    validation: Sequence[str] | None = None,
    test: Sequence[str] | None = None,
    **request: Any,
) -> dict[str, str]:
    """Return the warnings of a job whose files have rows with these labels."""
    files = {"validation_file": validation, "test_file": test}
    given = {
        name: upload_rows(http, make_rows(labels, name))
        for name, labels in files.items()
        if labels is not None
    }
    file_id = upload_rows(http, make_rows(training, "training"))
    return get_warnings(http, file_id, **given, **request)


def test_a_balanced_file_with_defaults_has_no_new_warning(http: TestClient) -> None:
    answer = http.post("/v1/files", files={"file": ("reviews.csv", review_csv(200))})
    for request in ({}, {"recipe": {"preset": "conventional"}}, {"recipe": {"preset": "longer"}}):
        found = get_warnings(http, answer.json()["id"], **request)
        assert found.keys() <= EXPECTED
    folds = get_warnings(http, answer.json()["id"], split={"mode": "kfold"})
    assert folds.keys() <= EXPECTED | {"dependent_folds"}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_label_without_rows_in_a_file(http: TestClient, split: str) -> None:
    found = plant(http, "abc" * 20, **{split: "aab" * 40})
    assert found[f"label_not_in_{split}"] == (
        f"No {split} row has the label c. Recall of it will be null there, and balanced_accuracy "
        "and f1_macro leave it out."
    )
    other = "test" if split == "validation" else "validation"
    assert not {f"label_not_in_{other}", "metric_undefined"} & found.keys()
    one_label = plant(http, "abab" * 20, **{split: "a" * 100})
    assert one_label[f"label_not_in_{split}"] == (
        f"No {split} row has the label b. Recall of it will be null there, as are f1 and mcc, and "
        "balanced_accuracy and f1_macro leave it out."
    )


def test_a_label_without_rows_in_a_part_of_the_training_file(http: TestClient) -> None:
    found = plant(http, "ab" * 60 + "cc", split={"test_fraction": 0.2})
    assert found["label_not_in_test"].startswith("No test row has the label c. ")
    assert found["one_training_row_of_label"] == (
        "Only one training row has the label c. A label cannot be learned from one row; add rows, "
        "or merge it with another label."
    )
    assert "label_not_in_validation" not in found


def test_a_label_without_rows_in_a_fold(http: TestClient) -> None:
    found = plant(http, "ab" * 60 + "ccc", split={"mode": "kfold", "k": 5})
    assert found["label_not_in_validation"].startswith(
        "In 2 of 5 folds no validation row has the label c. Recall of it will be null there"
    )
    assert "label_not_in_training" not in found
    pair = plant(http, "ab" * 60 + "cc", split={"mode": "kfold", "k": 5})
    assert pair["one_training_row_of_label"].startswith("In a fold, only one training row has")


def test_a_label_whose_rows_are_one_group(http: TestClient) -> None:
    labels = "ab" * 20 + "cc"
    cells = [(f"t {row}", label, min(row, 40)) for row, label in enumerate(labels)]
    rows: list[tuple[str, ...]] = [(text, label, str(group)) for text, label, group in cells]
    file_id = upload_rows(http, csv_bytes(rows, ("text", "label", "author")))
    found = get_warnings(http, file_id, split={"mode": "kfold", "k": 5, "group_by": "author"})
    assert found["label_not_in_training"] == (
        "In 1 of 5 folds no training row has the label c. The model cannot learn it."
    )
    named = {"task": {"label_names": ["a", "b", "c", "d"]}, "split": {"mode": "kfold", "k": 5}}
    assert get_warnings(http, file_id, **named)["label_not_in_training"] == (
        "In all 5 folds no training row has the label d. The model cannot learn it."
    )


def test_a_label_without_rows_of_a_multi_label_task(http: TestClient) -> None:
    training = [("a",), ("b", "c"), ("a", "c"), ()] * 20
    rows = [{"text": f"t {row}", "label": list(found)} for row, found in enumerate(training)]
    validation = [{"text": f"v {row}", "label": ["ab"[row % 2]]} for row in range(100)]
    empty = [{"text": f"e {row}", "label": []} for row in range(100)]
    ids = [upload_rows(http, jsonl_bytes(part), "x.jsonl") for part in (rows, validation, empty)]
    found = get_warnings(http, ids[0], validation_file=ids[1], test_file=ids[2])
    assert found["label_not_in_validation"] == (
        "No validation row has the label c. Recall of it will be null there, and f1_macro cannot "
        "exceed 0.67, because labels without rows count as 0."
    )
    assert found["label_not_in_test"].startswith("No test row has the labels a, b, c.")
    assert found["metric_cannot_discriminate"].startswith(
        "f1_micro cannot tell models apart on the test rows: all 100 rows have no label, so a "
        "constant prediction has the best possible score (0)"
    )


@pytest.mark.parametrize("metric", ["mcc", "f1"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_metric_that_is_undefined_on_one_label(http: TestClient, metric: str, split: str) -> None:
    found = plant(http, "abab" * 20, evaluation={"metric": metric}, **{split: "a" * 100})
    assert found["metric_undefined"].startswith(
        f"{metric} is undefined on the {split} rows: all 100 rows have the label a. "
    )
    effect = "no best checkpoint can be chosen" if split == "validation" else "Test scores will be"
    assert effect in found["metric_undefined"]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "f1_micro"])
def test_a_metric_on_which_a_constant_prediction_is_perfect(http: TestClient, metric: str) -> None:
    found = plant(http, "abab" * 20, evaluation={"metric": metric}, validation="a" * 100)
    assert found["metric_cannot_discriminate"].startswith(
        f"{metric} cannot tell models apart on the validation rows: all 100 rows have the label a, "
        "so a constant prediction has the best possible score (1)"
    )
    positive = plant(http, "abab" * 20, evaluation={"metric": "f1"}, validation="b" * 100)
    assert "metric_cannot_discriminate" in positive
    mixed = plant(http, "abab" * 20, evaluation={"metric": metric}, validation="ab" * 50)
    assert not {"metric_cannot_discriminate", "metric_undefined"} & mixed.keys()


@pytest.mark.parametrize("metric", ["pearson", "spearman", "r2"])
@pytest.mark.parametrize(
    ("numbers", "reason"),
    [(["2.5"] * 100, "all 100 rows have the same value"), (["2.5"], "there is only 1 row")],
)
def test_a_correlation_of_equal_numbers(
    http: TestClient, metric: str, numbers: list[str], reason: str
) -> None:
    training = [str(row / 7) for row in range(60)]
    request: dict[str, Any] = {
        "task": {"type": "regression"},
        "evaluation": {"metric": metric},
    }
    found = plant(http, training, validation=numbers, **request)
    assert found["metric_undefined"].startswith(
        f"{metric} is undefined on the validation rows: {reason}. "
    )
    two_rows = plant(http, training, validation=["1.5", "2.5"], **request)
    assert ("metric_cannot_discriminate" in two_rows) == (metric != "r2")
    three_rows = plant(http, training, validation=["1.5", "2.5", "0.5"], **request)
    assert not {"metric_cannot_discriminate", "metric_undefined"} & three_rows.keys()


def test_a_metric_that_is_undefined_in_a_fold(http: TestClient) -> None:
    split = {"mode": "kfold", "k": 5}
    found = plant(http, "a" * 98 + "bb", split=split, evaluation={"metric": "mcc"})
    assert found["metric_undefined"].startswith(
        "mcc is undefined on the validation rows of 3 of 5 folds: all 20 rows have the label a. "
    )


def test_training_labels_that_are_all_equal(http: TestClient) -> None:
    rows: list[tuple[str, ...]] = [(f"t {row}", "3.5", "first") for row in range(48)]
    rows += [(f"v {row}", str(row / 7), "second") for row in range(12)]
    file_id = upload_rows(http, csv_bytes(rows, ("text", "label", "author")))
    request = {"task": {"type": "regression"}, "split": {"group_by": "author"}}
    found = get_warnings(http, file_id, **request)
    assert found["constant_labels"].startswith("All 48 training labels are equal")
    assert "label_scale" not in found


def test_few_test_rows(http: TestClient) -> None:
    found = plant(http, "ab" * 60, test="ab" * 10)
    assert (
        found["small_test_set"] == "Only 20 test rows: a single row changes accuracy by 5.0 points."
    )
    assert "small_test_set" not in plant(http, "ab" * 60, test="ab" * 50)


def test_rows_are_counted_in_words(http: TestClient) -> None:
    file_id = upload_rows(http, csv_bytes([(f"text {row}", "ab"[row % 2]) for row in range(40)]))
    validation = upload_rows(http, csv_bytes([("text", "a")]))
    found = get_warnings(http, file_id, validation_file=validation, recipe=GIVEN)
    assert found["small_validation_set"].startswith("Only 1 validation row: ")
