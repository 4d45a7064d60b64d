"""Characters that act on a terminal or reorder a line, and how people are shown them.

Texts of users and of other servers may hold any character. Whoever shows one to a person, in a
message or on a terminal, shows these as code points: ``<U+001B>[31m``.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

CONTROL_PATTERN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Control characters except the line feed, marks and overrides of direction, line separators, lone
surrogates, invisible operators and tags. Joiners stay: emoji and many scripts need them.
"""


def show_controls(text: str) -> str:
    """Write each control character as its code point."""
    if text.isascii() and text.isprintable():
        return text
    return CONTROL_PATTERN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


Prose = Annotated[str, AfterValidator(show_controls)]
"""A text for people that may quote a user's."""
