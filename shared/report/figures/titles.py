"""Titles of figures, broken into lines so that no text is wider than its figure."""

from typing import TYPE_CHECKING

from shared.report.figures.figure import TEXT_PX, TITLE_PX
from shared.report.figures.text_width import BOLD_FACTOR, estimate_text_width

if TYPE_CHECKING:
    import altair


def build_title(title: str, subtitle: str, width: float) -> "altair.TitleParams":
    """Build the title of a figure that is ``width`` pixels wide."""
    import altair as alt

    return alt.TitleParams(
        wrap_text(title, TITLE_PX * BOLD_FACTOR, width),
        subtitle=wrap_text(subtitle, TEXT_PX, width),
    )


def wrap_text(text: str, font_px: float, width: float) -> list[str]:
    """Break a text at blanks into lines of at most ``width`` pixels; a longer word has a line of
    its own.
    """
    lines = [""]
    for word in text.split(" "):
        extended = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and estimate_text_width(extended, font_px) > width:
            lines.append(word)
        else:
            lines[-1] = extended
    return lines
