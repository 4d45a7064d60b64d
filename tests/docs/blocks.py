"""The examples of a page: its fenced blocks, and what the page says of them to the tests.

A ``console`` or ``python`` block is run. A comment on the line before it may say otherwise, and
nothing else may be fenced::

    <!-- not run: why -->
    <!-- saved as receiver.py -->
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FENCE: Final = "```"
RUN: Final = frozenset({"console", "python"})
_COMMENT: Final = re.compile(r"<!-- (not run|saved as):? (.+) -->")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    """Of its first line of content, from 1."""
    language: str
    text: str
    not_run: str | None = None
    """Why no test runs it."""
    saved_as: str | None = None
    """The file that its reader keeps it in."""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(text: str, page: str) -> list[Block]:
    """The fenced blocks, in order. Raises ValueError for a fence that is not closed."""
    found = []
    lines = iter(enumerate(text.splitlines(), start=1))
    before = ""
    for number, line in lines:
        if not line.startswith(FENCE):
            before = line or before  # a blank line may lie between the comment and its block
            continue
        content = []
        for _, inner in lines:
            if inner == FENCE:
                break
            content.append(inner)
        else:
            raise ValueError(f"{page}:{number}: the block is not closed")
        found.append(
            Block(page, number + 1, line.removeprefix(FENCE), "\n".join(content), **_said(before))
        )
        before = ""
    return found


def _said(line: str) -> dict[str, str]:
    comment = _COMMENT.fullmatch(line)
    return {} if comment is None else {comment[1].replace(" ", "_"): comment[2]}


def pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
