"""Two columns that may be the label or the text, and a text that is none, are questions."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.datasets import Table, build_validation
from shared.datasets.column_names import (
    COMPANION_TEXT_NAMES,
    LABEL_NAMES,
    OWN_LABEL_NAMES,
    TEXT_NAMES,
)
from shared.datasets.columns import choose_columns
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import csv_bytes, jsonl_bytes, read

Column = Callable[[int], str]
ROWS = 40


def sentence(row: int) -> str:
    return f"The hall was warm and bright on day {row}"


def verdict(row: int) -> str:
    return ("against", "in favor", "neutral")[row % 3]


def topic(row: int) -> str:
    return ("Wind parks", "Tram line")[row % 2]


def build_table(folder: Path, columns: Mapping[str, Column]) -> Table:
    rows = [[column(row) for column in columns.values()] for row in range(ROWS)]
    return read(folder, csv_bytes([list(columns), *rows]), header=True)


def ask(table: Table, **request: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as question:
        choose_columns(TaskRequest(**request), table)
    return question.value


@pytest.mark.parametrize(
    ("names", "candidates"),
    [
        (("Target", "Stance"), "(Target, Stance)"),
        (("label", "sentiment"), "(label, sentiment)"),
        (("gold_label", "polarity"), "(gold_label, polarity)"),
        (("class", "category"), "(class, category)"),
    ],
)
def test_two_possible_labels_are_asked_for(
    names: tuple[str, str], candidates: str, tmp_path: Path
) -> None:
    table = build_table(tmp_path, {"Tweet": sentence, names[0]: topic, names[1]: verdict})
    question = ask(table)
    assert (question.param, candidates in question.message) == ("task.label_column", True)
    warnings = build_validation(table).warnings
    assert [warning.message for warning in warnings] == [question.message]
    assert choose_columns(TaskRequest(label_column=names[1]), table).label == 2


def test_the_target_of_a_pair_is_not_its_label(tmp_path: Path) -> None:
    columns = {"premise": sentence, "target": topic, "stance": verdict, "hypothesis": topic}
    assert "(target, stance)" in ask(build_table(tmp_path, columns)).message


def test_an_empty_candidate_is_no_candidate(tmp_path: Path) -> None:
    table = build_table(tmp_path, {"text": sentence, "target": lambda _: "", "stance": verdict})
    assert choose_columns(TaskRequest(), table).label == 2


@pytest.mark.parametrize(
    ("columns", "candidates"),
    [
        ({"question": lambda _: "Was it nice?", "context": sentence}, "(question, context)"),
        ({"prompt": lambda _: "How was it?", "completion": sentence}, "(prompt, completion)"),
        ({"title": sentence, "body": sentence}, "(title, body)"),
        ({"Title": sentence, "Description": sentence}, "(Title, Description)"),
        ({"review_title": sentence, "review_body": sentence}, "(review_title, review_body)"),
        ({"headline": sentence, "Short Description": sentence}, "(headline, Short Description)"),
        ({"prompt": sentence, "chosen": sentence, "rejected": sentence}, "(prompt, chosen, "),
        (
            {"sentence1": sentence, "sentence2": sentence, "context": sentence},
            "(sentence1, sentence2, context)",
        ),
    ],
)
def test_two_possible_texts_are_asked_for(
    columns: Mapping[str, Column], candidates: str, tmp_path: Path
) -> None:
    question = ask(build_table(tmp_path, {**columns, "label": verdict}))
    assert (question.param, candidates in question.message) == ("task.text_column", True)
    assert "task.text_pair_column" in question.message


@pytest.mark.parametrize(
    "companion",
    [lambda row: str(row), topic, lambda row: f"2024-01-{1 + row % 28:02}", lambda _: ""],
    ids=["number", "category", "date", "empty"],
)
def test_a_companion_without_texts_is_no_question(companion: Column, tmp_path: Path) -> None:
    table = build_table(tmp_path, {"title": companion, "text": sentence, "label": verdict})
    assert choose_columns(TaskRequest(), table).text == 1


def test_a_completion_is_the_label_if_no_other_is_there(tmp_path: Path) -> None:
    table = build_table(tmp_path, {"prompt": sentence, "completion": verdict})
    assert choose_columns(TaskRequest(), table).label == 1


def make_uuid(row: int) -> str:
    return str(uuid.UUID(int=row * 7919))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("id", lambda row: str(10_000 + row)),
        ("tweet_id", lambda row: f"tt{10_000 + row}"),
        ("Created Date", sentence),
        ("number", lambda row: f"{row}.5"),
        ("reference", make_uuid),
        ("item", lambda row: f"tt{10_000 + row}"),
        ("when", lambda row: f"2024-05-{1 + row % 28:02}"),
        ("when", lambda row: f"{1 + row % 28}.5.2024 10:00"),
        ("document", make_uuid),
        ("message", lambda row: str(row)),
    ],
)
def test_an_id_or_a_date_is_not_the_only_text(name: str, column: Column, tmp_path: Path) -> None:
    table = build_table(tmp_path, {name: column, "label": verdict})
    question = ask(table)
    assert (question.param, repr(name) in question.message) == ("task.text_column", True)
    assert choose_columns(TaskRequest(text_column=name), table).text == 0


def test_an_id_is_not_the_only_label(tmp_path: Path) -> None:
    table = build_table(tmp_path, {"foo": sentence, "id": str})
    assert ask(table, text_column="foo").param == "task.label_column"


def test_two_columns_without_header_are_looked_at(tmp_path: Path) -> None:
    table = read(tmp_path, csv_bytes([[str(row), verdict(row)] for row in range(9)]), header=False)
    assert ask(table, label_column=1).param == "task.text_column"


label_names = st.sampled_from(sorted(LABEL_NAMES - {"completion"}))
other_names = st.text("abcdefghijklm", min_size=5, max_size=12).map("x".__add__)


def read_rows(columns: Sequence[str], cells: Callable[[str, int], str]) -> Table:
    rows = [{name: cells(name, row) for name in columns} for row in range(12)]
    with TemporaryDirectory() as folder:
        return read(Path(folder), jsonl_bytes(rows), "x.jsonl")


@given(st.sets(label_names, min_size=1, max_size=3), st.sets(other_names, max_size=3), st.data())
def test_a_label_is_chosen_only_if_no_other_is_possible(
    labels: set[str], others: set[str], data: st.DataObject
) -> None:
    names = data.draw(st.permutations([*labels, *others, "text"]))
    table = read_rows(names, lambda name, row: verdict(row) if name in labels else sentence(row))
    possible = labels - {"score"} if labels & OWN_LABEL_NAMES else labels
    if len(possible) == 1:
        assert {names[choose_columns(TaskRequest(), table).label]} == possible
    else:
        question = ask(table)
        assert question.param == "task.label_column"
        assert all(name in question.message for name in possible)


@given(
    st.sampled_from(sorted(TEXT_NAMES)),
    st.sets(st.sampled_from(sorted(COMPANION_TEXT_NAMES)), min_size=1, max_size=2),
    st.data(),
)
def test_no_second_text_is_left_out_in_silence(
    text: str, companions: set[str], data: st.DataObject
) -> None:
    names = data.draw(st.permutations([*({text} | companions), "label"]))
    table = read_rows(names, lambda name, row: verdict(row) if name == "label" else sentence(row))
    detected = build_validation(table).detected
    texts = {text} | companions
    if detected is None:
        assert all(name in ask(table).message for name in texts)
    else:
        assert {detected.text_column, detected.text_pair_column} - {None} == texts
