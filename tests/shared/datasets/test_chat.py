"""Chat files: the user's last message is the text, the assistant's answer to it the label."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.datasets import Table, build_validation, format_summary, load_examples, resolve_task
from shared.datasets.readers.chat import ChatReader
from shared.datasets.readers.json_cells import Members
from shared.domain.task import TaskRequest
from tests.shared.datasets.files import jsonl_bytes, read

SYSTEM = {"role": "system", "content": "Classify the review."}


def chat(*turns: tuple[str, Any], **extra: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns], **extra}


def table(folder: Path, *rows: dict[str, Any]) -> Table:
    return read(folder, jsonl_bytes(rows), "old.jsonl")


def test_a_file_of_an_old_script_trains_as_it_is(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                SYSTEM,
                {"role": "user", "content": text},
                {"role": "assistant", "content": label},
            ]
        }
        for text, label in [
            ("Lovely.", "pos"),
            ("Dull.", " neg\n"),
            ("Warm.", "pos"),
            ("Long.", "neg"),
        ]
    ]
    read_rows = table(tmp_path, *rows)
    validation = build_validation(read_rows)
    assert validation.valid
    assert validation.detected is not None
    assert (validation.detected.text_column, validation.detected.label_column) == ("text", "label")
    assert "chat_context_left_out" not in [warning.code for warning in validation.warnings]
    assert format_summary(validation).startswith("JSONL: 4 rows, text → label, 2 labels")
    examples = load_examples(read_rows, resolve_task(TaskRequest(), read_rows, max_positions=512))
    assert (list(examples.texts), list(examples.labels)) == (
        ["Lovely.", "Dull.", "Warm.", "Long."],
        [1, 0, 1, 0],
    )


@pytest.mark.parametrize(
    ("row", "text", "label"),
    [
        (chat(("user", "a"), ("assistant", "x")), "a", "x"),
        (chat(("user", "a"), ("assistant", "x"), ("user", "b"), ("assistant", "y")), "b", "y"),
        (chat(("user", "a"), ("user", "b"), ("assistant", "y")), "b", "y"),
        (chat(("user", "a"), ("assistant", None), ("tool", "{}"), ("assistant", "y")), "a", "y"),
        (
            chat(
                ("user", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
                ("assistant", "x"),
            ),
            "ab",
            "x",
        ),
        (chat(("developer", "d"), ("user", "a"), ("assistant", "None")), "a", "None"),
        (
            chat(
                ("user", "a"),
                ("assistant", "x"),
                tools=[{"type": "function"}],
                parallel_tool_calls=False,
            ),
            "a",
            "x",
        ),
    ],
)
def test_the_last_question_and_its_answer(
    row: dict[str, Any], text: str, label: str, tmp_path: Path
) -> None:
    read_rows = table(tmp_path, row)
    assert (read_rows.columns, read_rows.rows, read_rows.problems) == (
        ("text", "label"),
        [(text, label)],
        (),
    )


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (chat(), "chat_without_text"),
        (chat(("system", "s"), ("assistant", "x")), "chat_without_text"),
        (chat(("user", "a")), "chat_without_label"),
        (chat(("assistant", "x"), ("user", "a")), "chat_without_label"),
        (
            chat(("user", [{"type": "image_url", "image_url": {}}]), ("assistant", "x")),
            "chat_not_text",
        ),
        (chat(("user", "a"), ("assistant", None)), "chat_not_text"),
        (chat(("user", "a"), ("assistant", {"text": "x"})), "chat_not_text"),
        (chat(("user", []), ("assistant", "x")), "chat_not_text"),
        ({"messages": [{"content": "a"}]}, "chat_malformed"),
        ({"messages": [{"role": "user", "content": "a"}, "b"]}, "chat_malformed"),
        ({"messages": [{"role": None, "content": "a"}]}, "chat_malformed"),
    ],
)
def test_a_chat_that_is_no_example_is_named_by_its_row(
    row: dict[str, Any], code: str, tmp_path: Path
) -> None:
    good = chat(("user", "a"), ("assistant", "x"))
    read_rows = table(tmp_path, good, row, good)
    assert [(p.row, p.line, p.column, p.code) for p in read_rows.problems] == [
        (2, 2, "messages", code)
    ]
    assert not build_validation(read_rows).valid


def test_an_empty_turn_is_an_empty_text_or_label(tmp_path: Path) -> None:
    rows = [
        chat(("user", " "), ("assistant", "x")),
        chat(("user", "a"), ("assistant", "")),
        chat(("user", "a"), ("assistant", "x")),
    ]
    assert [(e.row, e.code) for e in build_validation(table(tmp_path, *rows)).errors] == [
        (1, "empty_text"),
        (2, "empty_label"),
    ]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    answer = (("user", "a"), ("assistant", "x"))
    rows = [
        chat(("system", "Be brief."), *answer),
        chat(("system", "Be brief."), *answer),
        chat(("system", "Be long."), *answer),
        chat(*answer, *answer),
    ]
    found = {
        warning.code: warning.count for warning in build_validation(table(tmp_path, *rows)).warnings
    }
    assert found["chat_context_left_out"] == 2


def test_a_column_of_that_name_with_plain_values_is_no_chat(tmp_path: Path) -> None:
    read_rows = table(tmp_path, {"messages": "hello", "label": 1}, {"messages": "bye", "label": 0})
    assert (read_rows.columns, read_rows.problems) == (("messages", "label"), ())


def test_prompts_and_completions_are_texts_and_labels(tmp_path: Path) -> None:
    read_rows = table(
        tmp_path, {"prompt": "a ->", "completion": " x"}, {"prompt": "b ->", "completion": " y"}
    )
    detected = build_validation(read_rows).detected
    assert detected is not None
    assert (detected.text_column, detected.label_column) == ("prompt", "completion")


turns = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=5)),
    max_size=6,
)


@given(before=turns, text=st.text(max_size=9), between=turns, label=st.text(max_size=9))
def test_whatever_came_before(before: list[Any], text: str, between: list[Any], label: str) -> None:
    between = [turn for turn in between if turn[0] != "user"]
    messages = [
        Members([("role", role), ("content", content)])
        for role, content in [*before, ("user", text), *between, ("assistant", label)]
    ]
    assert ChatReader().parse_example(messages) == [("text", text), ("label", label)]
