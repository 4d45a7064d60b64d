"""Warnings about a file: which occur, and what they count."""

from pathlib import Path

import pytest

from shared.datasets import build_validation
from tests.shared.datasets.files import read, tsv_bytes
from tests.shared.datasets.profiles import profile, warnings


@pytest.mark.parametrize(
    ("rows", "code", "count"),
    [
        ([["a", "Pos"], ["b", "pos"], ["c", "neg"]], "label_case_collision", 2),
        ([["a", "very good"], ["b", "Very  Good"], ["c", "bad"]], "label_blank_collision", 2),
        ([["a", "caf\u00e9"], ["b", "cafe\u0301"], ["c", "bad"]], "label_blank_collision", 2),
        ([["a", "pos "], ["b", "pos"], ["c", "neg"]], "label_blanks", 1),
        ([["a", "x"], ["b", "x"], ["c", "x"], ["d", "y"]], "imbalanced", 3),
        ([["a", "x"], ["a", "y"], ["c", "x"]], "conflicting_duplicates", 2),
        ([["a", "x"], ["a", "x"], ["a", "x"], ["b", "y"]], "duplicate_rows", 2),
        ([["a", "x"], ["b", "x"]], "single_label", 2),
        ([["a", "0.5"], ["b", "1.5"], ["c", "2.25"]], "regression", 3),
        ([["a", "0.5"], ["b", "1.5"], ["c", "2.25"]], "few_validation_rows", 1),
        ([["caf\ufffd", "x"], ["b", "y"]], "replacement_characters", 1),
    ],
)
def test_warnings(rows: list[list[str]], code: str, count: int, tmp_path: Path) -> None:
    validation = profile(tmp_path, [["text", "label"], *rows])
    assert warnings(validation)[code] == count
    assert validation.valid


def test_enough_of_everything_warns_of_nothing(tmp_path: Path) -> None:
    rows = [["text", "label"], *([f"Text number {row}", "ab"[row % 2]] for row in range(500))]
    assert warnings(profile(tmp_path, rows)) == {}


def test_blank_lines_and_quoted_tsv_are_mentioned(tmp_path: Path) -> None:
    content = tsv_bytes([["text", "label"], ['"a"', "x"], ['"b ""c"""', "y"]]) + b"\n\n"
    found = warnings(build_validation(read(tmp_path, content, "x.tsv")))
    assert (found["quoted_cells"], found["blank_lines"]) == (2, 2)


def test_no_text_of_the_file_is_repeated(tmp_path: Path) -> None:
    secret = "the diary says so"
    rows = [
        ["text", "label"],
        [secret, secret, secret],
        ["", secret * 20],
        [secret, ""],
        ["fine", "a"],
        ["too", "b"],
    ]
    validation = profile(tmp_path, rows)
    assert validation.errors_total == 3
    assert secret not in validation.model_dump_json()


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b'text\tlabel\n"one\ttwo\nthree"\ta\nfour\tb\n', 1),  # "one\ttwo\nthree" in quotes
        (b'text\tlabel\n"one two\ta\nthree\tb\n', 0),
        (b'text\tlabel\n6" long\ta\n5" wide\tb\n', 0),
    ],
)
def test_a_quoted_cell_that_a_line_break_parts_is_warned_of(
    content: bytes, count: int, tmp_path: Path
) -> None:
    found = warnings(build_validation(read(tmp_path, content, "x.tsv")))
    assert found.get("quoted_cells", 0) == count
