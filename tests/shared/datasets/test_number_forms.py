"""Numbers with a decimal comma, thousands or another minus sign, and the odd cell among them."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import build_validation, load_examples
from shared.datasets.label_reading import read_label_column
from shared.datasets.number_forms import normalize_numbers
from shared.datasets.readers.cells import is_number
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskType
from tests.shared.datasets.files import csv_bytes, read
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import labelled, resolve


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["3,5", "4,0", "1,234"], ["3.5", "4.0", "1.234"]),
        (["1,234.5", "1,234", "0.5"], ["1234.5", "1234", "0.5"]),
        (["1,234,567", "1,234"], ["1234567", "1234"]),
        (["1,234", "12.5"], ["1234", "12.5"]),
        (["1 234", "1\u00a0234,5", "1\u202f234\u202f567"], ["1234", "1234.5", "1234567"]),
        (["1'234.5", "12"], ["1234.5", "12"]),
        (["\u22120.5", "0.5"], ["-0.5", "0.5"]),
        (["\u22120,5", "-0,5"], ["-0.5", "-0.5"]),
        (["1,234", "2,345"], ["1,234", "2,345"]),
        (["3,5", "3.5"], ["3,5", "3.5"]),
        (["1.234,5", "3"], ["1.234,5", "3"]),
        (["1,2,3", "a,5"], ["1,2,3", "a,5"]),
        (["3.5", "x"], ["3.5", "x"]),
    ],
)
def test_plain_form(cells: list[str], numbers: list[str]) -> None:
    assert normalize_numbers(cells) == numbers


def test_a_semicolon_file_with_decimal_commas_is_a_regression(tmp_path: Path) -> None:
    rows = [["text", "score"], *([f"t{i}", f"{i / 4:.2f}".replace(".", ",")] for i in range(8))]
    table = read(tmp_path, csv_bytes(rows, ";"))
    task = resolve(table)
    assert task.type is TaskType.REGRESSION
    assert load_examples(table, task).labels == [i / 4 for i in range(8)]
    validation = build_validation(table)
    assert validation.valid
    assert (warnings(validation)["number_format"], warnings(validation)["regression"]) == (8, 8)


@pytest.mark.parametrize(
    "labels", [["1,234", "2,345", "3,456"], ["3,5", "2.5", "1"], ["0", "1", "0,1"] * 2]
)
def test_a_comma_of_unclear_meaning_is_asked_back(labels: list[str], tmp_path: Path) -> None:
    table = labelled(tmp_path, *labels)
    with pytest.raises(InvalidValue, match=r"a number whose comma may be") as refusal:
        resolve(table)
    assert refusal.value.param == "task.type"
    validation = build_validation(table)
    assert not validation.valid
    assert {error.code for error in validation.errors} == {"label_not_a_number"}


def test_the_type_decides_what_a_comma_between_class_numbers_means(tmp_path: Path) -> None:
    table = labelled(tmp_path, "0", "1", "0,1", "0")
    score, sets = (
        resolve(table, type=name) for name in ("regression", "multi_label_classification")
    )
    assert load_examples(table, score).labels == [0.0, 1.0, 0.1, 0.0]
    assert load_examples(table, sets).labels == [(0,), (1,), (0, 1), (0,)]


@pytest.mark.parametrize(
    ("words", "rows"), [(["n/a"], 1), (["nan"] * 10, 10), (["ten", "many"], 2), (["None", "x"], 2)]
)
def test_a_few_bad_cells_do_not_turn_numbers_into_classes(
    words: list[str], rows: int, tmp_path: Path
) -> None:
    table = labelled(tmp_path, *words, *(f"{i % 9 / 4}" for i in range(40)))
    validation = build_validation(table)
    assert validation.detected is not None
    assert validation.detected.type is TaskType.REGRESSION
    assert (validation.valid, validation.errors_total) == (False, rows)
    assert [error.row for error in validation.errors] == list(range(1, rows + 1))
    with pytest.raises(InvalidValue, match="a label that is not a number") as refusal:
        resolve(table)
    assert "set task.type to single_label_classification" in refusal.value.message


@pytest.mark.parametrize(
    "labels",
    [
        ["1.5", "2.5", "new", "old"],
        ["1", "2", "3", "n/a"] * 5,
        ["nan", "None", "0.5"],
        ["3,5,1", "x"],
        ["-1", "0", "1", "\u22121"],
    ],
)
def test_words_and_class_numbers_stay_classes(labels: list[str], tmp_path: Path) -> None:
    assert resolve(labelled(tmp_path, *labels, *labels)).type is TaskType.SINGLE_LABEL


@pytest.mark.parametrize("digits", [5_000, 131_000])
def test_thousands_of_digits_are_read_or_refused(digits: int, tmp_path: Path) -> None:
    for label in ("9" * digits, "0" * digits, f"1,{'0' * digits}", "1" * digits + "x"):
        table = labelled(tmp_path, "1", "2", label, "1", "2", label)
        build_validation(table)
        for type_ in (None, "regression", "single_label_classification"):
            with contextlib.suppress(InvalidValue):
                resolve(table, type=type_)


decimals = st.decimals(-(10**6), 10**6, places=2)


@settings(deadline=None)
@given(st.lists(decimals, min_size=2, max_size=20))
def test_any_numbers_are_the_same_with_a_decimal_comma(numbers: list[object]) -> None:
    plain = [str(number) for number in numbers]
    assert normalize_numbers([cell.replace(".", ",") for cell in plain]) == plain
    assert normalize_numbers([cell.replace("-", "\u2212") for cell in plain]) == plain


@settings(deadline=None)
@given(st.lists(decimals, min_size=2, max_size=20))
def test_any_numbers_are_the_same_with_thousands(numbers: list[object]) -> None:
    for mark in (",", " ", "\u00a0", "'"):
        cells = [f"{number:,}".replace(",", mark) for number in numbers]
        assert normalize_numbers(cells) == [str(number) for number in numbers]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(st.sampled_from("0123,. -\u2212ex"), max_size=8).map(str.strip)))
def test_only_numbers_are_rewritten_and_only_to_numbers(cells: list[str]) -> None:
    for raw, cell in zip(cells, normalize_numbers(cells), strict=True):
        assert raw == cell or (is_number(cell) and not is_number(raw)) or "," in cell
        assert raw == cell or raw[-1] in "0123456789."
    column = read_label_column(cells, TaskType.REGRESSION, None).cells
    assert normalize_numbers(column) == column or "," in "".join(column)
