"""First lines that are names without being usual ones, rows that look like names, and the
question where the evidence is split.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.datasets import Table, build_validation
from shared.datasets.readers.header import has_header
from shared.domain.errors import InvalidValue
from tests.shared.datasets.files import csv_bytes, read
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import resolve

SUBJECTS = [("soup", "cold"), ("clerk", "kind"), ("room", "noisy"), ("letter", "grim")]
TEXTS = [f"The {noun} was {how} on day {row}" for row, (noun, how) in enumerate(SUBJECTS * 15)]
SIDES = [["neg", "pos"][row % 2] for row in range(len(TEXTS))]
INTENTS = [f"intent_{row % 20}" for row in range(len(TEXTS))]
SCORES = [f"{row % 5},5" for row in range(len(TEXTS))]


def below(*columns: list[str]) -> list[list[str]]:
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        (["पाठ", "श्रेणी"], (TEXTS, SIDES)),
        (["வாக்கியம்", "வகை"], (TEXTS, SIDES)),
        (["v1", "v2", "", "", ""], (SIDES, TEXTS, *[[""] * len(TEXTS)] * 3)),
        (["Comment (free text)", "Verdict of the visitor"], (TEXTS, SIDES)),
        (["What did you like about it?", "Overall, how do you rate us?"], (TEXTS, SIDES)),
        (["Please tell us, in a few words, what you think", "Your verdict:"], (TEXTS, SIDES)),
        (["Pyyntö", "Aikomus"], (TEXTS, INTENTS)),
        (["foo", "bar"], (TEXTS, INTENTS)),
        (["foo", "bar"], (TEXTS, [f"class {row}" for row in range(len(TEXTS))])),
        (["foo", "bar"], (TEXTS, TEXTS[::-1])),
        (["文本", "标签"], (["这部电影很好看", "我不喜欢"] * 20, ["好评", "差评"] * 20)),
        (["0", "1"], (TEXTS, SIDES)),
        (["", "0", "1"], ([str(row) for row in range(len(TEXTS))], TEXTS, SIDES)),
        (["a long heading, with a comma", "Punkte"], (TEXTS, SCORES)),
        (["a long heading, with a comma", "Punkte"], (TEXTS, [*SCORES[1:], "n/a"])),
        (["", "foo", "bar"], ([str(row) for row in range(len(TEXTS))], TEXTS, TEXTS[::-1])),
    ],
)
def test_a_header(first: list[str], columns: tuple[list[str], ...]) -> None:
    assert has_header(first, below(*columns)) is True
    assert has_header(first, [*below(*columns), first, *below(*columns)]) is True


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        (["The bread was fine on day 90", "pos"], (TEXTS, SIDES)),
        (["Bread", "pos"], (TEXTS, SIDES)),
        (["The bread was fine on day 90", "3,5"], (TEXTS, SCORES)),
        (["The bread was fine on day 90", "n/a"], (TEXTS, SCORES)),
        (["The bread was fine on day 90", ""], (TEXTS, SIDES)),
        (["What is it?", "question"], (["Who are you?", "I left."] * 9, ["question", "other"] * 9)),
        (["这部电影很好看", "好评"], (["我不喜欢", "很好看"] * 20, ["差评", "好评"] * 20)),
    ],
)
def test_a_row(first: list[str], columns: tuple[list[str], ...]) -> None:
    assert has_header(first, below(*columns)) is False


SPLIT = [
    (["The bread was fine on day 90", "mixed"], (TEXTS, SIDES)),
    (["The bread was fine on day 90", "rating"], (TEXTS, [*SIDES[:-1], "odd"])),
    (["0", "1"], (TEXTS, ["0", "1"] * (len(TEXTS) // 2))),
    (["Text", "pos"], (TEXTS, SIDES)),
    (["foo", "bar"], (["some words", "some more", "no"] * 2, ["x", "y", "x"] * 2)),
]


@pytest.mark.parametrize(("first", "columns"), SPLIT)
def test_split_evidence(first: list[str], columns: tuple[list[str], ...]) -> None:
    assert has_header(first, below(*columns)) is None


def test_split_evidence_is_asked_back(tmp_path: Path) -> None:
    first, columns = SPLIT[0]
    content = csv_bytes([first, *below(*columns)])
    table = read(tmp_path, content)
    validation = build_validation(table)
    assert (validation.header, validation.rows) == (None, len(TEXTS) + 1)
    assert warnings(validation) == {"header_unclear": 1}
    question = validation.warnings[0].message
    assert "(The bread was fine on day 90 | mixed)" in question
    assert "true" in question
    assert "false" in question
    with pytest.raises(InvalidValue) as refusal:
        resolve(table, text_column=0, label_column=1)
    assert (refusal.value.param, refusal.value.message) == ("task.header", question)
    assert read(tmp_path, content, header=False).total_rows == len(TEXTS) + 1
    assert read(tmp_path, content, header=True).columns == tuple(first)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("again", ["text,label", "Text,Label", '"text","label"', " text , label "])
def test_a_repeated_header_is_a_row_problem(again: str, mark: str, tmp_path: Path) -> None:
    rows = csv_bytes(below(TEXTS, SIDES)).decode()
    table = read(tmp_path, f"text,label\n{rows}{mark}{again}\n{rows}".encode())
    assert (table.header, table.total_rows) == (True, 2 * len(TEXTS) + 1)
    assert [(p.row, p.line, p.code) for p in table.problems] == [(61, 62, "repeated_header")]
    assert {row[1] for row in table.rows} == {"neg", "pos"}


def test_a_row_that_is_repeated_is_no_header(tmp_path: Path) -> None:
    rows = below(TEXTS, SIDES)
    table = read(tmp_path, csv_bytes([*rows, *rows]))
    assert (table.header, table.total_rows, table.problems_total) == (False, 2 * len(rows), 0)


words = st.text(st.characters(categories=["Ll", "Lo"]), min_size=1, max_size=8)


def read_rows(rows: list[list[str]], delimiter: str) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        return read(Path(folder), csv_bytes(rows, delimiter), "x.csv")


@settings(deadline=None, max_examples=60)
@given(
    names=st.lists(words, min_size=2, max_size=2, unique=True),
    labels=st.lists(words, min_size=2, max_size=10, unique=True),
    delimiter=st.sampled_from(",;\t"),
)
def test_names_above_labels_that_repeat(
    names: list[str], labels: list[str], delimiter: str
) -> None:
    assume(not {name.casefold() for name in names} & {label.casefold() for label in labels})
    rows = [[f"Text number {row}, long enough", labels[row % len(labels)]] for row in range(60)]
    rows = [[text.replace(",", ""), label] for text, label in rows]
    table = read_rows([names, *rows], delimiter)
    assert (table.header, table.columns) == (True, tuple(names))
    assert table.rows == [tuple(row) for row in rows]


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(words, min_size=2, max_size=10, unique=True),
    texts=st.lists(words, min_size=60, max_size=60, unique=True),
    delimiter=st.sampled_from(",;\t"),
)
def test_a_row_of_a_known_label_is_never_a_header(
    labels: list[str], texts: list[str], delimiter: str
) -> None:
    rows = [[text, labels[row % len(labels)]] for row, text in enumerate(texts)]
    table = read_rows(rows, delimiter)
    assert table.header is False
    assert table.total_rows == 60


@settings(deadline=None, max_examples=60)
@given(
    first=st.lists(st.text(max_size=12), min_size=2, max_size=3),
    column=st.lists(st.text(max_size=12), min_size=1, max_size=30),
)
def test_any_cells_have_an_answer(first: list[str], column: list[str]) -> None:
    assert has_header(first, [[cell] * len(first) for cell in column]) in (True, False, None)
