"""Bounds on the structure of JSON, checked before it is parsed.

A list takes two characters of a text and sixty bytes of memory, and a third of a million of them
take seconds. Counting brackets and commas takes a millisecond per megabyte.
"""

from typing import Final, Literal

Excess = Literal["depth", "items"]

_BRACKETS: Final = b"[]{}"
_OTHER_BYTES: Final = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_OPENING: Final = frozenset(b"[{")
_QUOTES_PER_ITEM: Final = 4  # a member has two strings


def find_excess(text: str, *, max_depth: int, max_items: int) -> Excess | None:
    """Return which bound a JSON text exceeds: on nesting, or on values and members in total.

    The text need not be valid JSON; what precedes its first error is counted as a parser reads it.
    """
    openings = text.count("[") + text.count("{")
    if openings <= max_depth and openings + text.count(",") <= max_items:
        return None  # even if all of them stood outside of strings
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    if text.count('"') > _QUOTES_PER_ITEM * (max_items + 1):
        return "items"
    outside = "".join(text.split('"')[::2])
    brackets = outside.encode("utf-8", "replace").translate(None, _OTHER_BYTES)
    # of valid JSON with so many items, these are all brackets
    if _is_deeper(brackets[: 2 * max_items + 1], max_depth):
        return "depth"
    return "items" if len(brackets) // 2 + outside.count(",") > max_items else None


def _is_deeper(brackets: bytes, max_depth: int) -> bool:
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in _OPENING else -1
        if depth > max_depth:
            return True
    return False
