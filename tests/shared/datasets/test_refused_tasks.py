"""Tasks that do not fit their file are refused, with the field and the rows to change."""

from pathlib import Path
from typing import Any

import pytest

from shared.domain.errors import InvalidValue, ServiceError
from tests.shared.datasets.files import REVIEWS, csv_bytes, jsonl_bytes, read
from tests.shared.datasets.tasks import labelled, resolve


@pytest.mark.parametrize(
    ("labels", "request_", "param", "words"),
    [
        (["a", "a", "a"], {}, "task.label_column", "same label (a)"),
        (["a", "b", "a", "b", "c"], {}, "task.label_column", "these labels have one: c."),
        (["a", "", "b", " ", "a", "b"], {}, "task.label_column", "2 rows (2, 4) have no label"),
        (["a", "b", "a", ""], {}, "task.label_column", "Row 4 has no label"),
        (
            ["a", "b", "x" * 257, "a"],
            {},
            "task.label_column",
            "Row 3 has a label of more than 256 characters",
        ),
        (
            ["a", "b", "c", "a", "b"],
            {"label_names": ["a", "b"]},
            "task.label_names",
            "Row 3 has a label that is not in task.label_names: c.",
        ),
        (["a", "b", "a", "b"], {"label_names": ["a", "b", "a"]}, "task.label_names", "distinct"),
        (["a", "b", "a", "b"], {"label_names": ["a", "b", " "]}, "task.label_names", "not blank"),
        (["a", "a", "a", "a"], {"label_names": ["a", "b"]}, "task.label_column", "same label"),
        (["a", "b", "a", "b"], {"positive_label": "c"}, "task.positive_label", "a, b"),
        (["a", "b", "c"] * 2, {"positive_label": "c"}, "task.positive_label", "this task has 3"),
        (["a", "b", "a", "b"], {"max_seq_length": 513}, "task.max_seq_length", "at most 512"),
    ],
)
def test_unfit_labels_and_fields(
    labels: list[str], request_: dict[str, Any], param: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        resolve(labelled(tmp_path, *labels), **request_)
    assert (refusal.value.status, refusal.value.param) == (400, param)
    assert words in refusal.value.message


@pytest.mark.parametrize(
    ("labels", "request_", "param", "words"),
    [
        (
            ["a", "1", "2", "3"],
            {"type": "regression"},
            "task.label_column",
            "Row 1 has a label that is not a number",
        ),
        (
            ["1", "nan", "2", "3"],
            {"type": "regression"},
            "task.label_column",
            "Row 2 has a label that is not a number",
        ),
        (["1", "1e16", "2", "3"], {"type": "regression"}, "task.label_column", "above 1e+15"),
        (
            ["1", "1.0", "1", "1"],
            {"type": "regression"},
            "task.label_column",
            "at least two different labels",
        ),
        (
            ["1", "2"],
            {"type": "regression", "label_names": ["1", "2"]},
            "task.label_names",
            "are numbers",
        ),
        (
            ["1", "2"],
            {"type": "regression", "positive_label": "1"},
            "task.positive_label",
            "Only single_label",
        ),
        (
            ["a||b", "a"],
            {"type": "multi_label_classification"},
            "task.label_column",
            "an empty label among",
        ),
        (
            ["a|b", "b|a"],
            {"type": "multi_label_classification"},
            "task.label_column",
            "at least two different labels",
        ),
        (
            ["a", ""],
            {"type": "multi_label_classification"},
            "task.label_column",
            "The only label is a",
        ),
        (
            ["a|b", "c"],
            {"type": "multi_label_classification", "label_names": ["a", "b"]},
            "task.label_names",
            "Row 2 has a label that is not in task.label_names: c.",
        ),
        (
            ["a|b", "a"],
            {"type": "multi_label_classification", "positive_label": "a"},
            "task.positive_label",
            "Only single_label",
        ),
    ],
)
def test_labels_that_do_not_fit_the_kind_of_task(
    labels: list[str], request_: dict[str, Any], param: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidValue) as refusal:
        resolve(labelled(tmp_path, *labels), **request_)
    assert (refusal.value.param, refusal.value.code) == (param, "invalid_value")
    assert words in refusal.value.message


def test_a_list_is_no_single_label_and_no_text(tmp_path: Path) -> None:
    lists = read(
        tmp_path,
        jsonl_bytes([{"text": "t", "label": ["x", "y"]}, {"text": "u", "label": ["x"]}]),
        "x.jsonl",
    )
    with pytest.raises(InvalidValue, match="a list as the label") as refusal:
        resolve(lists, type="single_label_classification")
    assert refusal.value.param == "task.type"
    texts = read(
        tmp_path,
        jsonl_bytes([{"text": ["t"], "label": "x"}, {"text": "u", "label": "y"}]),
        "x.jsonl",
    )
    with pytest.raises(InvalidValue, match="Row 1 has a list instead of a single text") as refusal:
        resolve(texts)
    assert refusal.value.param == "task.text_column"


def test_empty_texts_are_named_by_row(tmp_path: Path) -> None:
    rows = [
        ["text", "label"],
        *([f"text {i}", "ab"[i % 2]] for i in range(4)),
        *([" " * (i % 2), "a"] for i in range(9)),
    ]
    with pytest.raises(
        InvalidValue, match=r"9 rows \(5, 6, 7, 8, 9 and 4 more\) have no text"
    ) as refusal:
        resolve(read(tmp_path, csv_bytes(rows)))
    assert refusal.value.param == "task.text_column"


def test_empty_second_texts_too(tmp_path: Path) -> None:
    rows = [
        ["sentence1", "sentence2", "label"],
        ["a", "b", "x"],
        ["a", "", "y"],
        ["c", "d", "x"],
        ["e", "f", "y"],
    ]
    with pytest.raises(InvalidValue, match=r"Row 2 has no text") as refusal:
        resolve(read(tmp_path, csv_bytes(rows)))
    assert refusal.value.param == "task.text_pair_column"


def test_a_file_with_broken_rows_is_refused_under_its_own_name(tmp_path: Path) -> None:
    table = read(tmp_path, csv_bytes(REVIEWS) + b"one,too,many\n")
    with pytest.raises(
        InvalidValue, match=r"1 of the file's 7 rows cannot be read; .* is row 7 \(line 8\): "
    ) as refusal:
        resolve(table)
    assert refusal.value.param == "training_file"


def test_a_header_setting_is_not_for_files_that_name_their_columns(tmp_path: Path) -> None:
    table = read(
        tmp_path, jsonl_bytes({"text": f"t{i}", "label": i % 2} for i in range(4)), "x.jsonl"
    )
    assert resolve(table).header is True
    with pytest.raises(ServiceError) as refusal:
        resolve(table, header=False)
    assert refusal.value.param == "task.header"


def test_a_table_read_otherwise_than_asked_is_a_mistake_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another header setting"):
        resolve(read(tmp_path, csv_bytes(REVIEWS)), header=False)
