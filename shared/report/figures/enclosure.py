"""Enlarges a rendered figure until every text is inside, whatever font a browser draws it in.

The renderer reserves room for the width of its own font. A browser without that font takes a
wider one, and the ends of long labels would lie outside the picture.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from shared.report.figures.text_width import BOLD_FACTOR, estimate_text_width

MARGIN_PX = 2
_TRANSFORM = re.compile(r"(translate|rotate)\(([^)]{0,200})\)")
_HEAD = re.compile(r' width="[\d.]+" height="[\d.]+" viewBox="[^"]*"')
_BACKGROUND = re.compile(r'<rect width="[\d.]+" height="[\d.]+"(?= fill=)')
_ANCHORED_SHARES = {"start": 0.0, "middle": 0.5, "end": 1.0}
"""Share of a text's width that lies left of its position."""
_ASCENT, _DESCENT = 1.0, 0.3  # of a line, in font sizes


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def unite(self, other: "Box") -> "Box":
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


class _Place(NamedTuple):
    """Coordinates of an element in the picture: an offset and an angle."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0

    def get_point(self, x: float, y: float) -> tuple[float, float]:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + x * cos - y * sin, self.y + x * sin + y * cos

    def apply(self, transform: str) -> "_Place":
        place = self
        for name, arguments in _TRANSFORM.findall(transform):
            numbers = [float(number) for number in re.split(r"[,\s]+", arguments.strip())]
            if name == "translate":
                offset = place.get_point(numbers[0], numbers[1] if len(numbers) > 1 else 0.0)
                place = _Place(*offset, place.angle)
            else:
                place = _Place(place.x, place.y, place.angle + math.radians(numbers[0]))
        return place


def enclose_texts(svg: str) -> str:
    """Return the SVG with a view that has room for every text."""
    root = ElementTree.fromstring(svg)
    view = get_view(root)
    box = view
    for text in iterate_text_boxes(root):
        box = box.unite(text)
    if box == view:
        return svg
    left, top = math.floor(box.left), math.floor(box.top)
    width, height = math.ceil(box.right) - left, math.ceil(box.bottom) - top
    size = f'width="{width}" height="{height}"'
    wider = _HEAD.sub(f' {size} viewBox="{left} {top} {width} {height}"', svg, count=1)
    return _BACKGROUND.sub(f'<rect x="{left}" y="{top}" {size}', wider, count=1)


def get_view(root: ElementTree.Element) -> Box:
    """Return the part of the coordinates that an SVG shows."""
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    return Box(left, top, left + width, top + height)


def iterate_text_boxes(root: ElementTree.Element) -> Iterator[Box]:
    """Yield a box around each line of text, estimated from above, with a margin."""
    yield from _iterate_boxes(root, _Place())


def _iterate_boxes(element: ElementTree.Element, parent: _Place) -> Iterator[Box]:
    place = parent.apply(element.attrib.get("transform", ""))
    if element.tag.endswith("}text"):
        yield from _iterate_line_boxes(element, place)
        return
    for child in element:
        yield from _iterate_boxes(child, place)


def _iterate_line_boxes(element: ElementTree.Element, place: _Place) -> Iterator[Box]:
    font_px = float(element.attrib.get("font-size", "0").removesuffix("px"))
    bold = 1.0 if element.attrib.get("font-weight", "normal") == "normal" else BOLD_FACTOR
    before = _ANCHORED_SHARES[element.attrib.get("text-anchor", "start")]
    baseline = 0.0
    lines = [element, *element] if len(element) else [element]
    for line in lines:
        baseline += float(line.attrib.get("dy", "0").removesuffix("px"))
        if line.text and line.text.strip():
            width = estimate_text_width(line.text, font_px * bold)
            left, top = -before * width, baseline - _ASCENT * font_px
            corners = [
                place.get_point(x, y)
                for x in (left, left + width)
                for y in (top, baseline + _DESCENT * font_px)
            ]
            xs, ys = zip(*corners, strict=True)
            yield Box(
                min(xs) - MARGIN_PX, min(ys) - MARGIN_PX, max(xs) + MARGIN_PX, max(ys) + MARGIN_PX
            )
