"""Positions of the labels above a plot: each label in a lane, clear of the others' leaders."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from shared.report.figures.text_width import estimate_text_width

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("right", "left")

LANE_PX = 18  # height of a lane
LABEL_FONT_PX = 13
LEADER_GAP_PX = 5  # between a leader and its own label
CLEARANCE_PX = 4  # between a label and whatever is beside it


@dataclass(frozen=True)
class Label:
    x: float
    """Position of the leader, in pixels from the left edge of the plot."""
    text: str


@dataclass(frozen=True)
class PlacedLabel:
    """A label with its lane, counted upwards from the plot, and its side of the leader."""

    x: float
    text: str
    side: Side
    lane: int

    @property
    def left(self) -> float:
        offset = LEADER_GAP_PX if self.side == "right" else -LEADER_GAP_PX - self.width
        return self.x + offset

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def width(self) -> float:
        return estimate_text_width(self.text, LABEL_FONT_PX)

    @property
    def bottom(self) -> float:
        """Height of the text's lower edge above the plot, in pixels."""
        return CLEARANCE_PX + LANE_PX * self.lane

    @property
    def top(self) -> float:
        return self.bottom + LABEL_FONT_PX

    def covers(self, x: float) -> bool:
        """Return whether a leader at ``x`` that rises past the label would touch it."""
        return self.left - CLEARANCE_PX < x < self.right + CLEARANCE_PX

    def overlaps(self, other: "PlacedLabel") -> bool:
        """Return whether the two would touch in the same lane."""
        return self.left - CLEARANCE_PX < other.right and other.left - CLEARANCE_PX < self.right


def place_labels(labels: Sequence[Label], plot_width: float) -> list[PlacedLabel]:
    """Place the labels from left to right, without overlap and inside the plot's width if
    possible.

    A leader rises from the plot to its label, so it must pass no label in a lower lane. With
    all labels right of their leaders there is always a solution; all other sides are tried as
    well, because a label at the right edge would extend the figure. That is meant for up to
    eight labels.
    """
    ordered = sorted(labels, key=lambda label: (label.x, label.text))
    solutions = [
        placed
        for sides in product(SIDES, repeat=len(ordered))
        if (placed := _assign_lanes(ordered, sides)) is not None
    ]
    return min(
        solutions,
        key=lambda placed: (_measure_overflow(placed, plot_width), count_lanes(placed)),
    )


def count_lanes(placed: Sequence[PlacedLabel]) -> int:
    return 1 + max((label.lane for label in placed), default=-1)


def _assign_lanes(labels: Sequence[Label], sides: Sequence[Side]) -> list[PlacedLabel] | None:
    """Give each label the lowest lane above every leader that it covers; None if two labels
    cover each other's leaders.
    """
    waiting = [
        PlacedLabel(label.x, label.text, side, lane=0)
        for label, side in zip(labels, sides, strict=True)
    ]
    placed: list[PlacedLabel] = []
    while waiting:
        label = _find_free_label(waiting)
        if label is None:
            return None
        waiting.remove(label)
        placed.append(_raise_label(label, placed))
    return sorted(placed, key=lambda label: (label.x, label.text))


def _find_free_label(waiting: Sequence[PlacedLabel]) -> PlacedLabel | None:
    """Find a label that covers no leader of the others."""
    for label in waiting:
        if not any(label.covers(other.x) for other in waiting if other is not label):
            return label
    return None


def _raise_label(label: PlacedLabel, placed: Sequence[PlacedLabel]) -> PlacedLabel:
    lane = 1 + max((other.lane for other in placed if label.covers(other.x)), default=-1)
    taken = {other.lane for other in placed if label.overlaps(other)}
    while lane in taken:
        lane += 1
    return PlacedLabel(label.x, label.text, label.side, lane)


def _measure_overflow(placed: Sequence[PlacedLabel], plot_width: float) -> float:
    return sum(max(0.0, -label.left) + max(0.0, label.right - plot_width) for label in placed)
