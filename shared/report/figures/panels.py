"""Rows of panels, one panel per job: their widths and the headers above them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.report.figures.figure import TEXT_PX
from shared.report.figures.text_width import BOLD_FACTOR, estimate_text_width

if TYPE_CHECKING:
    import altair

ROW_PX, SPACING_PX = 620, 30  # width of a row of panels, and space between two of them
FIGURE_PX = ROW_PX + 70
"""Width of a figure with a row of panels and the labels of its vertical axis."""
MAX_COLUMNS = 3
"""With more panels in a row, two headers would run into each other."""


@dataclass(frozen=True)
class PanelGrid:
    panels: int

    @property
    def columns(self) -> int:
        return min(self.panels, MAX_COLUMNS)

    @property
    def panel_px(self) -> float:
        return (ROW_PX - SPACING_PX * (self.columns - 1)) / self.columns

    def build_header(self, titles: Sequence[Sequence[str]]) -> "altair.Header":
        """Build the headers of the panels from the lines of each title; a line that is too long
        for its panel is cut.
        """
        import altair as alt

        lines = [[self._shorten(line) for line in title] for title in titles]
        return alt.Header(
            title=None,
            labelExpr=f"{json.dumps(lines)}[datum.value]",
            labelAnchor="start",
            labelLineHeight=16,
            labelLimit=0,
        )

    def _shorten(self, line: str) -> str:
        return shorten_text(line, TEXT_PX * BOLD_FACTOR, self.panel_px)


def shorten_text(text: str, font_px: float, width: float) -> str:
    """Cut a text that is wider than ``width`` pixels, and mark the cut with an ellipsis."""
    if estimate_text_width(text, font_px) <= width:
        return text
    kept = text
    while kept and estimate_text_width(kept + "…", font_px) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"
