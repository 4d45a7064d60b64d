"""Chat files, as written for fine-tuning hosted language models, read as texts with labels.

A row is a list ``messages`` of ``{"role", "content"}``. The last user message is the text, the
last assistant message after it is the label, without surrounding blanks. Earlier messages (a
system prompt, previous turns) are not read: a warning counts the rows that lose something,
except for a system prompt that all rows share. Other members of the object (``tools``, …) are
ignored.
"""

from collections.abc import Sequence
from typing import Any

from shared.datasets.readers.json_cells import CellError, Members

MESSAGES_KEY, TEXT_KEY, LABEL_KEY = "messages", "text", "label"
INSTRUCTION_ROLES = frozenset({"system", "developer"})


def get_messages(members: Members) -> list[Any] | None:
    """Return the messages if this object is a chat: a list that contains an object, or an empty
    list.
    """
    for key, value in members:
        if (
            key == MESSAGES_KEY
            and type(value) is list
            and (not value or any(isinstance(item, Members) for item in value))
        ):
            return value
    return None


class ChatReader:
    """Reads the chats of one file and counts those with unread messages."""

    def __init__(self) -> None:
        self.omitted_context_count = 0
        self._instructions: str | None = None
        """System prompt of the first row."""

    def parse_example(self, messages: Sequence[Any]) -> Members:
        """Convert a chat to a plain row of text and label. Raises ``CellError`` for a chat that
        does not end in a question and its answer.
        """
        turns = [_parse_turn(number, message) for number, message in enumerate(messages, start=1)]
        asked = _find_last_question(turns)
        text = turns[asked][1]
        label = _find_answer(turns[asked + 1 :])
        example = Members([(TEXT_KEY, _parse_content(text)), (LABEL_KEY, _parse_content(label))])
        self._count_omitted_context(turns[:asked])
        return example

    def _count_omitted_context(self, earlier_turns: Sequence[tuple[str, object]]) -> None:
        instructions = repr(
            [content for role, content in earlier_turns if role in INSTRUCTION_ROLES]
        )
        if self._instructions is None:
            self._instructions = instructions
        if instructions != self._instructions or any(
            role not in INSTRUCTION_ROLES for role, _ in earlier_turns
        ):
            self.omitted_context_count += 1


def _find_last_question(turns: Sequence[tuple[str, object]]) -> int:
    places = [place for place, (role, _) in enumerate(turns) if role == "user"]
    if not places:
        raise _make_cell_error(
            "chat_without_text", "The chat has no user message, which would be the text."
        )
    return places[-1]


def _find_answer(later_turns: Sequence[tuple[str, object]]) -> object:
    answers = [content for role, content in later_turns if role == "assistant"]
    if not answers:
        raise _make_cell_error(
            "chat_without_label",
            "No assistant message, which would be the label, follows the last user message.",
        )
    return answers[-1]


def _parse_turn(number: int, message: object) -> tuple[str, object]:
    named = dict(message) if isinstance(message, Members) else {}
    role = named.get("role")
    if not isinstance(role, str):
        raise _make_cell_error("chat_malformed", f"Message {number} is not an object with a role.")
    return role, named.get("content")


def _parse_content(content: object) -> str:
    """Return a message's content: a text, or a list of parts that are all text."""
    if isinstance(content, str):
        return content
    parts = content if type(content) is list else []
    texts = [text for part in parts if (text := _parse_text_part(part)) is not None]
    if not texts or len(texts) < len(parts):
        raise _make_cell_error(
            "chat_not_text", "The content of the last user message or of its answer is not text."
        )
    return "".join(texts)


def _parse_text_part(part: object) -> str | None:
    named = dict(part) if isinstance(part, Members) else {}
    text = named.get("text")
    return text if named.get("type") == "text" and isinstance(text, str) else None


def _make_cell_error(code: str, message: str) -> CellError:
    return CellError(MESSAGES_KEY, code, message)
