"""Characters that a reader cannot see, and how messages show them."""

import re
import unicodedata

INVISIBLE_PATTERN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Control characters, Unicode's Default_Ignorable_Code_Point (soft hyphen, zero-width characters,
direction marks, variation selectors, byte order mark) and the blank Braille pattern.
"""

STRAY_PATTERN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
"""Invisible characters that no word or emoji needs. Joiners and variation selectors are needed."""


def show_code_point(character: str) -> str:
    return f"<U+{ord(character):04X}>"


def show_invisible(text: str) -> str:
    """Write each invisible character as its code point: ``pos<U+200B>``."""
    return INVISIBLE_PATTERN.sub(lambda match: show_code_point(match[0]), text)


def show_hidden_differences(text: str) -> str:
    """Write every character as its code point except visible ASCII, so that texts that look the
    same can be told apart.
    """
    return "".join(
        character
        if character.isascii() and character.isprintable() and character != " "
        else show_code_point(character)
        for character in text
    )


def remove_invisible(text: str) -> str:
    return INVISIBLE_PATTERN.sub("", text)


def normalize_appearance(text: str) -> str:
    """Build a key that is equal for texts that look the same but for case and blanks."""
    if text.isascii() and text.isprintable():
        return "".join(text.casefold().split())
    compatible = unicodedata.normalize("NFKC", remove_invisible(text)).casefold()
    # NFKC may bring in blanks and invisible characters, and casefold may decompose
    return unicodedata.normalize("NFKC", "".join(remove_invisible(compatible).split()))
