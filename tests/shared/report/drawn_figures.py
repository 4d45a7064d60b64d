"""What tests read from a figure: its texts and the rows of its data."""

import struct
from typing import Any
from xml.etree import ElementTree

from shared.report.figures import Figure


def list_texts(figure: Figure) -> list[str]:
    """All text of the rendered SVG; raises when it is no well-formed XML."""
    root = ElementTree.fromstring(figure.to_svg())
    assert not root.findall(".//{*}script")
    return [text for element in root.iter() for text in [element.text] if text and text.strip()]


def list_rows(figure: Figure, field: str) -> list[dict[str, Any]]:
    """The rows of the specification's data that have the field."""
    return [row for rows in figure.spec["datasets"].values() for row in rows if field in row]


def get_png_width(png: bytes) -> int:
    return int(struct.unpack(">I", png[16:20])[0])
