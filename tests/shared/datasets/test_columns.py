"""Columns as data sets name them, as users map them, and the questions that come back."""

from pathlib import Path
from typing import Any

import pytest

from shared.datasets import Detected, Table, build_validation
from shared.datasets.columns import ColumnIndices, choose_columns
from shared.datasets.type_detection import detect_column_kind, detect_task_type
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest, TaskType
from tests.shared.datasets.files import read, tsv_bytes

CLASSES = TaskType.SINGLE_LABEL


def detect(table: Table) -> Detected | None:
    return build_validation(table).detected


def headed(folder: Path, names: str, label: str | None = None) -> Any:
    """A table with these names; the cells of the column called ``label`` are 0 and 1, all
    others are texts.
    """
    columns = names.split("|")
    rows = [
        [str(row % 2) if name == label else f"{name} of row {row}" for name in columns]
        for row in range(6)
    ]
    return read(folder, tsv_bytes([columns, *rows]), "data.tsv", header=True)


@pytest.mark.parametrize(
    ("names", "text", "pair", "label"),
    [
        ("text|label", "text", None, "label"),
        ("label|text", "text", None, "label"),
        ("Sentence|Label", "Sentence", None, "Label"),
        ("review|sentiment", "review", None, "sentiment"),
        ("Category|Message", "Message", None, "Category"),
        ("tweet|class", "tweet", None, "class"),
        ("text|label|label_text", "text", None, "label"),
        ("text|label|score", "text", None, "label"),
        ("target|ids|date|flag|user|text", "text", None, "target"),
        ("text|labels", "text", None, "labels"),
        ("question|label", "question", None, "label"),
        ("index|sentence1|sentence2|label", "sentence1", "sentence2", "label"),
        ("Sentence_2|Sentence_1|target", "Sentence_1", "Sentence_2", "target"),
        ("text_a|text_b|labels", "text_a", "text_b", "labels"),
        ("premise|hypothesis|gold_label|label1", "premise", "hypothesis", "gold_label"),
        ("id|qid1|qid2|question1|question2|is_duplicate", "question1", "question2", "is_duplicate"),
        ("index|question|sentence|label", "question", "sentence", "label"),
        ("Quality|#1 ID|#2 ID|#1 String|#2 String", "#1 String", "#2 String", "Quality"),
        (
            "index|genre|source1|source2|sentence1|sentence2|score",
            "sentence1",
            "sentence2",
            "score",
        ),
        (
            "index|promptID|pairID|sentence1_parse|sentence2_parse|sentence1|sentence2|label1|gold_label",
            "sentence1",
            "sentence2",
            "gold_label",
        ),
    ],
)
def test_names_that_tell(
    names: str, text: str, pair: str | None, label: str, tmp_path: Path
) -> None:
    expected = Detected(type=CLASSES, text_column=text, text_pair_column=pair, label_column=label)
    assert detect(headed(tmp_path, names, label)) == expected


@pytest.mark.parametrize(
    ("names", "param", "candidates"),
    [
        ("review|content|label", "task.text_column", "(review, content)"),
        ("text|sentence1|sentence2|label", "task.text_column", "(text, sentence1, sentence2)"),
        ("text|label|target", "task.label_column", "(label, target)"),
        ("text|score|stars", "task.label_column", "(score, stars)"),
        ("foo|bar|label", "task.text_column", "foo, bar, label"),
        ("text|foo|bar", "task.label_column", "text, foo, bar"),
        ("text|Text|label", "task.text_column", "(text, Text)"),
    ],
)
def test_names_that_leave_a_choice(names: str, param: str, candidates: str, tmp_path: Path) -> None:
    table = headed(tmp_path, names)
    assert detect(table) is None
    with pytest.raises(InvalidValue) as question:
        choose_columns(TaskRequest(), table)
    assert question.value.param == param
    assert candidates in question.value.message


@pytest.mark.parametrize(
    ("names", "request_", "expected"),
    [
        ("review|content|label", {"text_column": "content"}, ColumnIndices(1, None, 2)),
        ("review|content|label", {"text_column": 0, "label_column": 2}, ColumnIndices(0, None, 2)),
        ("foo|bar", {"label_column": "bar"}, ColumnIndices(0, None, 1)),
        ("foo|bar", {"text_column": 1}, ColumnIndices(1, None, 0)),
        ("sentence1|sentence2|label", {"text_column": "sentence2"}, ColumnIndices(1, None, 2)),
        ("sentence1|sentence2|label", {"text_pair_column": "sentence2"}, ColumnIndices(0, 1, 2)),
        ("a|b|label", {"text_column": "b", "text_pair_column": "a"}, ColumnIndices(1, 0, 2)),
        ("text|label|target", {"label_column": "target"}, ColumnIndices(0, None, 2)),
        ("text|label|target", {"label_column": "label"}, ColumnIndices(0, None, 1)),
        ("text|text|label", {"text_column": 1}, ColumnIndices(1, None, 2)),
        ("label|text", {"text_column": "label", "label_column": "text"}, ColumnIndices(0, None, 1)),
    ],
)
def test_what_is_asked_for_comes_first(
    names: str, request_: dict[str, Any], expected: ColumnIndices, tmp_path: Path
) -> None:
    assert choose_columns(TaskRequest(**request_), headed(tmp_path, names)) == expected


@pytest.mark.parametrize(
    ("request_", "param", "words"),
    [
        ({"text_column": "txt"}, "task.text_column", "The columns are: text, other, label"),
        ({"label_column": "Label"}, "task.label_column", "no column with this name"),
        ({"label_column": 3}, "task.label_column", "the last one is 2"),
        (
            {"text_column": "label", "label_column": "label"},
            "task.label_column",
            "'label' cannot be both",
        ),
        (
            {"text_pair_column": "text", "text_column": "text"},
            "task.text_pair_column",
            "second text",
        ),
        (
            {"text_pair_column": "label", "text_column": "text", "label_column": "label"},
            "task.text_pair_column",
            "second text",
        ),
    ],
)
def test_what_cannot_be(request_: dict[str, Any], param: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue) as refusal:
        choose_columns(TaskRequest(**request_), headed(tmp_path, "text|other|label"))
    assert refusal.value.param == param
    assert words in refusal.value.message


def test_a_name_shared_by_columns_is_asked_for_by_index(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidValue, match=r"2 columns have this name\. Use the index of one of them: 0, 1"
    ):
        choose_columns(TaskRequest(text_column="text"), headed(tmp_path, "text|text|label"))


class TestWithoutHeader:
    ROWS = tuple([f"s{row}", str(row % 2), "", f"A sentence, number {row}."] for row in range(8))

    def test_nothing_is_detected(self, tmp_path: Path) -> None:
        assert detect(read(tmp_path, tsv_bytes(self.ROWS), "cola.tsv")) is None

    def test_the_question_lists_the_columns(self, tmp_path: Path) -> None:
        with pytest.raises(
            InvalidValue, match=r"0 \(text\), 1 \(integer\), 2 \(text\), 3 \(text\)"
        ):
            choose_columns(TaskRequest(), read(tmp_path, tsv_bytes(self.ROWS), "cola.tsv"))

    def test_indices_answer_it(self, tmp_path: Path) -> None:
        table = read(tmp_path, tsv_bytes(self.ROWS), "cola.tsv")
        assert choose_columns(TaskRequest(text_column=3, label_column=1), table) == ColumnIndices(
            3, None, 1
        )

    def test_names_do_not(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue, match="Use the index of a column, 0 to 3"):
            choose_columns(
                TaskRequest(text_column="3", label_column=1),
                read(tmp_path, tsv_bytes(self.ROWS), "cola.tsv"),
            )

    def test_one_of_two_columns_leaves_the_other(self, tmp_path: Path) -> None:
        table = read(tmp_path, tsv_bytes([row[1::2] for row in self.ROWS]), "two.tsv")
        assert choose_columns(TaskRequest(label_column=0), table) == ColumnIndices(1, None, 0)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", "b"], CLASSES),
        (["1", "0", "1"], CLASSES),
        (["1.0", "0.0"], CLASSES),
        (["-1", "1"], CLASSES),
        ([str(stars) for stars in (1, 2, 3, 4, 5)], CLASSES),
        ([str(intent % 77) for intent in range(500)], CLASSES),
        (["1.5", "2", "n/a"], CLASSES),
        (["", ""], CLASSES),
        (["5.000", "3.800"], TaskType.REGRESSION),
        (["0.5", "", "1"], TaskType.REGRESSION),
        ([str(age) for age in range(0, 100, 3)] * 5, TaskType.REGRESSION),
        ([str(row) for row in range(500)], TaskType.REGRESSION),
    ],
)
def test_numbers_are_classes_or_quantities(labels: list[str], expected: TaskType) -> None:
    assert detect_task_type(labels) is expected


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "", "-20"], "integer"),
        (["1", "2.5"], "number"),
        (["2.5", "1"], "number"),
        (["1", "x"], "text"),
        (["1e3"], "number"),
        (["1_000"], "text"),
        (["nan"], "text"),
        (["1e999"], "text"),
        (["٣"], "text"),
        (["", ""], "text"),
        ([], "text"),
    ],
)
def test_kind_of_column(cells: list[str], kind: str) -> None:
    assert detect_column_kind(cells) == kind


def test_a_question_names_columns_without_a_name_by_index(tmp_path: Path) -> None:
    table = read(tmp_path, b"v1,v2,,\nham,hello there,,\nspam,win now,,\n", "x.csv", header=True)
    with pytest.raises(InvalidValue, match=r"v1, v2, 2 \(no name\), 3 \(no name\)\."):
        choose_columns(TaskRequest(), table)
