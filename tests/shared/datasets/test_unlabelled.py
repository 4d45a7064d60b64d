"""Unlabelled texts: which are read from a file, and which of them a distillation adds."""

from pathlib import Path

import pytest

from shared.datasets import Table, load_texts, read_table, resolve_task
from shared.datasets.examples import has_label_column
from shared.datasets.split.unlabelled import count_readable_texts, find_new_texts, sample_texts
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskRequest
from tests.worker.training.runs import make_task

PAIRS = {"text_column": "first", "text_pair_column": "second"}


def read(folder: Path, content: str, name: str = "texts.csv") -> Table:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return read_table(path, name, header=True)


@pytest.mark.parametrize(
    ("task", "content", "texts", "seconds", "has_labels"),
    [
        (make_task(), "id,text\n1,a b\n2,c\n", ["a b", "c"], None, False),
        (make_task(), "label,text\n,a b\nnever seen,c\n", ["a b", "c"], None, True),
        (make_task(**PAIRS), "second,first\nb,a\nd,c\n", ["a", "c"], ["b", "d"], False),
        (make_task(text_column=1, label_column=2), "x,y\nb,a\n", ["a"], None, False),
        (make_task(text_column=1, label_column=0), "x,y\nb,a\n", ["a"], None, True),
    ],
)
def test_texts_are_read_without_their_labels(
    task: Task,
    content: str,
    texts: list[str],
    seconds: list[str] | None,
    has_labels: bool,
    tmp_path: Path,
) -> None:
    table = read(tmp_path, content)
    examples = load_texts(table, task, param="unlabelled_file")
    assert (list(examples.texts), len(examples)) == (texts, len(texts))
    assert examples.second_texts == seconds
    assert not examples.labels
    assert has_label_column(table, task) == has_labels
    assert examples.select_rows([0]).texts == texts[:1]


@pytest.mark.parametrize(
    ("task", "content", "part"),
    [
        (make_task(), "id,words\n1,a b\n", "no column with this name"),
        (make_task(), "id,text\n1,a b\n2,\n3, \n", "2 rows (2, 3) have no text"),
        (make_task(), "id,text\n1,a b\n2\n", "row 2 (line 3): The row has 1 cell"),
        (make_task(**PAIRS), "id,first\n1,a b\n", "(task.text_pair_column)"),
        (make_task(**PAIRS), "first,second\na,\n", "Row 1 has no text"),
        (make_task(text_column=2), "x,y\nb,a\n", "no column 2"),
    ],
)
def test_a_file_without_the_texts_is_refused(
    task: Task, content: str, part: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidValue) as refused:
        load_texts(read(tmp_path, content), task, param="unlabelled_file")
    assert refused.value.param == "unlabelled_file"
    assert part in refused.value.message


def test_new_texts_are_those_of_no_training_row_and_no_earlier_row() -> None:
    assert find_new_texts([b"a", b"b", b"a", b"c", b"b"], [b"c", b"d"]) == [0, 1]
    assert find_new_texts([b"c", b"c"], [b"c"]) == []


@pytest.mark.parametrize(
    ("new", "train", "steps", "batch", "read"),
    [(10, 20, 5, 8, 10), (30, 20, 5, 8, 20), (30, 40, 5, 8, 0), (30, 50, 5, 8, 0), (1, 7, 1, 8, 1)],
)
def test_the_steps_bound_the_texts_that_are_read(
    new: int, train: int, steps: int, batch: int, read: int
) -> None:
    assert count_readable_texts(new, train, steps, batch) == read


def test_the_same_texts_are_drawn_every_time() -> None:
    rows = list(range(100, 200))
    drawn = sample_texts(rows, 30)
    assert drawn == sample_texts(rows, 30) == sorted(set(drawn))
    assert len(drawn) == 30
    assert drawn not in (rows[:30], rows[-30:])
    assert sample_texts(rows, 100) == rows


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.csv", 'text\nfirst one\n"second, with a comma"\n\nthird\n', 3),
        ("a.csv", "sentence\nthe film; a joy\nb\n", 2),
        ("a.tsv", "review\nwell, a good one\nb\n", 2),
        ("a.txt", "Text\nfirst\nsecond\nfirst\n", 3),
        ("a.csv", "Комментарий\nодин\nдва\n", 2),
    ],
)
def test_texts_alone_are_one_column_under_a_usual_name(
    name: str, content: str, texts: int, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    table = read_table(path, name)
    task = make_task(text_column=content.split("\n", 1)[0])
    assert (table.header, table.width, table.problems_total) == (True, 1, 0)
    assert len(load_texts(table, task, param="unlabelled_file")) == texts
    with pytest.raises(InvalidValue) as refused:
        resolve_task(TaskRequest(), table, max_positions=512)
    assert refused.value.param == "task.label_column"


def test_an_unquoted_comma_among_texts_alone_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\nwell, a good one\nb\n", encoding="utf-8")
    [problem] = read_table(path, "a.csv").problems
    assert (problem.row, problem.code) == (1, "wrong_width")
