"""What the service says about a file: the numbers, the errors by row, the warnings."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.datasets import Validation, build_validation, format_summary
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import REVIEWS, jsonl_bytes, read, tsv_bytes
from tests.shared.datasets.profiles import profile, warnings


def test_the_whole_shape(tmp_path: Path) -> None:
    rows = [*REVIEWS, ["I left early.", "pos"], ["I left early.", "neg"]]
    assert profile(tmp_path, rows).model_dump(mode="json") == {
        "valid": True,
        "format": "csv",
        "compression": None,
        "encoding": "utf-8",
        "delimiter": ",",
        "header": True,
        "rows": 8,
        "columns": [
            {"index": 0, "name": "text", "kind": "text", "empty": 0, "distinct": 6},
            {"index": 1, "name": "label", "kind": "text", "empty": 0, "distinct": 2},
        ],
        "detected": {
            "type": "single_label_classification",
            "text_column": "text",
            "text_pair_column": None,
            "label_column": "label",
        },
        "labels": [{"label": "neg", "count": 4}, {"label": "pos", "count": 4}],
        "text_length": {"unit": "characters", "p50": 13, "p95": 21, "p99": 21, "max": 21},
        "duplicates": 1,
        "empty_texts": 0,
        "errors": [],
        "errors_total": 0,
        "warnings": [
            {
                "code": "duplicate_rows",
                "message": (
                    "Rows repeat the text and label of an earlier row. A split may put one copy "
                    "into training and another into validation."
                ),
                "count": 1,
            },
            {
                "code": "conflicting_duplicates",
                "message": "Rows have the same text as another row but a different label.",
                "count": 3,
            },
            {
                "code": "few_rows_of_label",
                "message": "Labels have fewer than 10 rows: neg, pos.",
                "count": 2,
            },
            {
                "code": "few_validation_rows",
                "message": (
                    "A job that trains on this file with the default split has fewer than 100 "
                    "validation rows, so its scores are imprecise."
                ),
                "count": 2,
            },
        ],
    }


def test_it_survives_being_stored_as_json(tmp_path: Path) -> None:
    rows = [*REVIEWS, ["only one cell"], ["", "pos"]]
    validation = profile(tmp_path, rows)
    stored = json.loads(json.dumps(validation.model_dump(mode="json")))
    assert Validation.model_validate(stored) == validation


def test_quantiles_are_nearest_rank(tmp_path: Path) -> None:
    rows = [["text", "label"], *(["x" * length, "ab"[length % 2]] for length in range(1, 101))]
    length = profile(tmp_path, rows).text_length
    assert length is not None
    assert (length.p50, length.p95, length.p99, length.max) == (50, 95, 99, 100)


def test_the_length_of_a_pair_is_that_of_both(tmp_path: Path) -> None:
    length = profile(
        tmp_path, [["sentence1", "sentence2", "label"], ["abc", "de", "x"], ["f", "gh", "y"]]
    ).text_length
    assert length is not None
    assert (length.p50, length.max) == (3, 5)


def test_errors_of_reading_and_of_the_task_come_in_the_order_of_rows(tmp_path: Path) -> None:
    rows = [
        ["text", "label"],
        ["Good", "pos"],
        ["  ", "neg"],
        ["three", "cells", "here"],
        ["Bad", ""],
        ["Ugly", "x" * 257],
        ["Fine", "pos"],
    ]
    validation = profile(tmp_path, rows)
    assert not validation.valid
    assert validation.errors_total == 4
    assert [(e.row, e.line, e.column, e.code) for e in validation.errors] == [
        (2, 3, "text", "empty_text"),
        (3, 4, None, "wrong_width"),
        (4, 5, "label", "empty_label"),
        (5, 6, "label", "label_too_long"),
    ]
    assert (validation.rows, validation.empty_texts) == (6, 1)
    assert validation.labels is not None
    assert [(label.label, label.count) for label in validation.labels] == [("pos", 2), ("neg", 1)]


def test_the_list_of_errors_is_capped_and_the_count_is_not(tmp_path: Path) -> None:
    rows = [
        ["text", "label"],
        ["Good", "pos"],
        *(["", "neg"] for _ in range(300)),
        *(["short"] for _ in range(300)),
    ]
    validation = profile(tmp_path, rows)
    assert (len(validation.errors), validation.errors_total) == (100, 600)
    assert [error.row for error in validation.errors] == list(range(2, 102))


def test_a_regression_file_has_no_label_counts(tmp_path: Path) -> None:
    validation = profile(tmp_path, [["text", "score"], ["a", "0.5"], ["b", "1.5"]])
    assert validation.detected is not None
    assert validation.detected.type == "regression"
    assert validation.labels is None


class TestWithoutHeader:
    CONTENT = tsv_bytes(
        [[f"s{row}", str(row % 2), "", f"Sentence number {row % 5}."] for row in range(8)]
    )

    def test_what_cannot_be_known_is_null(self, tmp_path: Path) -> None:
        validation = build_validation(read(tmp_path, self.CONTENT, "cola.tsv"))
        assert validation.header is False
        assert validation.valid
        assert (
            validation.detected,
            validation.labels,
            validation.text_length,
            validation.empty_texts,
        ) == (None,) * 4
        assert [(column.name, column.kind, column.empty) for column in validation.columns] == [
            (None, "text", 0),
            (None, "integer", 0),
            (None, "text", 8),
            (None, "text", 0),
        ]
        assert warnings(validation) == {"columns_not_detected": 1}
        assert (
            format_summary(validation)
            == "TSV: 8 rows, set the columns in the job's task, 1 warning."
        )

    def test_a_task_tells_it(self, tmp_path: Path) -> None:
        validation = build_validation(
            read(tmp_path, self.CONTENT, "cola.tsv"), TaskRequest(text_column=3, label_column=1)
        )
        assert validation.detected is not None
        assert (validation.detected.text_column, validation.detected.label_column) == (3, 1)
        assert validation.labels is not None
        assert [(label.label, label.count) for label in validation.labels] == [("0", 4), ("1", 4)]
        assert format_summary(validation).startswith("TSV: 8 rows, column 3 → column 1, 2 labels, ")

    def test_half_a_task_is_asked_back(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue) as question:
            build_validation(read(tmp_path, self.CONTENT, "cola.tsv"), TaskRequest(text_column=3))
        assert question.value.param == "task.label_column"

    def test_an_empty_task_is_none(self, tmp_path: Path) -> None:
        table = read(tmp_path, self.CONTENT, "cola.tsv")
        assert build_validation(table, TaskRequest()) == build_validation(table)


@pytest.mark.parametrize(("type_", "labels"), [(None, None), ("single_label_classification", 3)])
def test_the_type_of_the_task_decides_over_the_labels(
    type_: Any, labels: int | None, tmp_path: Path
) -> None:
    rows = [["text", "label"], ["a", "0.5"], ["b", "1.5"], ["c", "2.5"]]
    validation = profile(tmp_path, rows, TaskRequest(type=type_))
    assert (None if validation.labels is None else len(validation.labels)) == labels


def test_labels_outside_the_given_names_are_errors(tmp_path: Path) -> None:
    validation = profile(tmp_path, REVIEWS, TaskRequest(label_names=["pos", "positive"]))
    assert [(error.row, error.code) for error in validation.errors] == [
        (2, "unknown_label"),
        (3, "unknown_label"),
        (5, "unknown_label"),
    ]


def test_a_file_of_values_that_are_all_wrong_is_still_described(tmp_path: Path) -> None:
    validation = build_validation(
        read(tmp_path, jsonl_bytes([{"text": {"a": 1}, "label": 0}] * 2), "x.jsonl")
    )
    assert (validation.valid, validation.rows, validation.errors_total) == (False, 2, 2)
    assert [(column.name, column.empty) for column in validation.columns] == [
        ("text", 2),
        ("label", 0),
    ]
    assert format_summary(validation).startswith("JSONL: 2 rows, text → label, 1 label, 2 errors")


def test_summary_of_a_good_file(tmp_path: Path) -> None:
    rows = [
        ["sentence1", "sentence2", "label"],
        *([f"a{row}", f"b{row}", "xy"[row % 2]] for row in range(1000)),
    ]
    assert (
        format_summary(profile(tmp_path, rows))
        == "CSV: 1,000 rows, sentence1 + sentence2 → label, 2 labels."
    )
