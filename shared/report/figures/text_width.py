"""Widths of texts, estimated from above: a figure's own font is not on every machine."""

import unicodedata

BOLD_FACTOR = 1.15
"""Width of bold letters over that of regular ones."""
_CHARACTER_WIDTHS = (
    ("ijl'", 0.3),
    ("ftrI ()[]/\\-|!.,:;", 0.42),
    ("mwMW%@&", 1.02),
    ("ABCDEFGHJKLNOPQRSTUVXYZ", 0.8),
    ("#+<=>^~", 0.85),
)
"""Upper bounds of the widths in Arial and in DejaVu Sans, the usual font of a Linux browser without
Arial, in font sizes; other characters have ``_OTHER_WIDTH``.
"""
_PHRASES = frozenset(map(chr, range(0xFDF0, 0xFDFE)))
"""Arabic ligatures of whole phrases, which are about as wide as their letters."""
_OTHER_WIDTH, _NON_ASCII_WIDTH = 0.65, 1.02


def estimate_text_width(text: str, font_px: float) -> float:
    """Estimate the width of a text from above, in pixels, for the fonts of the figures."""
    return font_px * sum(_estimate_character_width(character) for character in text)


def _estimate_character_width(character: str) -> float:
    if character in _PHRASES:
        return _NON_ASCII_WIDTH * len(unicodedata.normalize("NFKC", character))
    if not character.isascii():
        return _NON_ASCII_WIDTH
    return next(
        (width for characters, width in _CHARACTER_WIDTHS if character in characters),
        _OTHER_WIDTH,
    )
