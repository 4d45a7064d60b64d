"""The console that all commands print to: words stay whole, lines end without blanks, and no
character of a printed text acts on the terminal.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rich.cells import cell_len
from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    Group,
    RenderableType,
    RenderHook,
)
from rich.highlighter import JSONHighlighter
from rich.segment import Segment
from rich.text import Text

from shared.domain.visible_text import CONTROL_PATTERN, show_controls

_WORDS: Final = re.compile(r"\S+\s*")
"""A word with the blanks after it; the first word of a line has its indentation."""


class OutputConsole(Console):
    """Breaks lines at blanks only, so that ids and commands can be copied from any terminal.

    A word wider than the terminal has a line of its own. With ``NO_COLOR`` there are no colors and
    no other styles.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(
            stderr=stderr,
            width=width,
            highlight=False,
            emoji=False,  # :fire: may be a part of an id
            color_system=None if os.environ.get("NO_COLOR") else "auto",
        )
        self._finisher = _LineFinisher()
        super().push_render_hook(self._finisher)

    def push_render_hook(self, hook: RenderHook) -> None:
        """Add a hook, such as a progress bar, before the one that finishes the lines."""
        super().pop_render_hook()
        super().push_render_hook(hook)
        super().push_render_hook(self._finisher)

    def pop_render_hook(self) -> None:
        """Remove the hook that was added last."""
        super().pop_render_hook()
        super().pop_render_hook()
        super().push_render_hook(self._finisher)

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **{"crop": False, **options})

    def print_value(self, document: str) -> None:
        """Print a JSON document, indented; control characters in it stay escapes of JSON."""
        indented = json.dumps(json.loads(document), indent=2, ensure_ascii=False)
        plain = CONTROL_PATTERN.sub(lambda match: json.dumps(match[0])[1:-1], indented)
        self.print(JSONHighlighter()(Text(plain)), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Raise instead of ending the process, as Rich does; the program has an exit code for it.

        Called while the BrokenPipeError is handled.
        """
        raise BrokenPipeError


def print_text(text: str, *, end: str = "\n") -> None:
    """Print a text to the standard output as it is, except for its control characters."""
    lines = (show_controls(part) for part in text.split("\t"))
    sys.stdout.write("\t".join(lines) + end)


class _LineFinisher(RenderHook):
    """Wraps what is printed, so that its lines are broken at blanks and end without one."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_FinishedLines(renderables)]


class _FinishedLines:
    def __init__(self, renderables: list[ConsoleRenderable]) -> None:
        self._renderables = renderables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for renderable in self._renderables:
            yield from _trim_line_ends(_render_whole_words(renderable, console, options))


def _render_whole_words(
    renderable: RenderableType, console: Console, options: ConsoleOptions
) -> Iterable[Segment]:
    """Render texts with line breaks at blanks only; everything else as Rich does."""
    if isinstance(renderable, Group):
        for part in renderable.renderables:
            yield from _render_whole_words(part, console, options)
        return
    if isinstance(renderable, str):
        renderable = console.render_str(renderable)
    if isinstance(renderable, Text) and not options.no_wrap and not renderable.no_wrap:
        for line in _break_at_words(renderable, options.max_width):
            yield from console.render(line, options)
        return
    yield from console.render(renderable, options)


def _break_at_words(text: Text, width: int) -> Iterator[Text]:
    lines = [
        part
        for line in text.split("\n", allow_blank=True)
        for part in line.divide(_find_breaks(line.plain, width))
    ]
    for index, line in enumerate(lines):
        line.no_wrap, line.overflow = True, "ignore"
        line.end = text.end if index == len(lines) - 1 else "\n"
        yield line


def _find_breaks(line: str, width: int) -> list[int]:
    """Return the offsets of the words that begin another line."""
    breaks: list[int] = []
    used = cell_len(line) - cell_len(line.lstrip())
    for index, word in enumerate(_WORDS.finditer(line)):
        if index and used + cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            used = 0
        used += cell_len(word[0])
    return breaks


def _trim_line_ends(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Leave out blanks at the ends of lines, and show control characters; the console's own
    cursor movements pass unchanged.
    """
    held_back: list[Segment] = []
    for segment in segments:
        if segment.control:
            held_back = []
            yield segment
            continue
        *ended_lines, rest = show_controls(segment.text).split("\n")
        for line in ended_lines:
            if line.strip(" "):
                yield from held_back
            held_back = []
            yield Segment(f"{line.rstrip(' ')}\n", segment.style)
        if visible := rest.rstrip(" "):
            yield from held_back
            held_back = []
            yield Segment(visible, segment.style)
        if blanks := rest[len(visible) :]:
            held_back.append(Segment(blanks, segment.style))
