"""Bounds on JSON are counted as a parser reads it, and before it does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.json_structure import find_excess

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text('a,[]{}"\\:é', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text('",[\\'), inner, max_size=6)
    ),
    max_leaves=40,
)


def measure(value: Any) -> tuple[int, int]:
    """Return depth and number of items: containers, and commas between values."""
    if not isinstance(value, dict | list):
        return 0, 0
    inside = list(value.values()) if isinstance(value, dict) else value
    below = [measure(child) for child in inside]
    depth = 1 + max((depth for depth, _ in below), default=0)
    return depth, 1 + max(len(inside) - 1, 0) + sum(items for _, items in below)


@given(value=VALUES, ascii_only=st.booleans())
def test_the_bounds_are_exact(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    depth, items = measure(value)
    assert find_excess(text, max_depth=depth, max_items=items) is None
    if depth > 0:
        assert find_excess(text, max_depth=depth - 1, max_items=items) == "depth"
        assert find_excess(text, max_depth=depth, max_items=items - 1) == "items"


@pytest.mark.parametrize(
    ("text", "excess"),
    [
        ("[" * 500_000, "depth"),
        ("[" + "[]," * 300_000 + "[]]", "items"),
        ("[" + '"",' * 300_000 + '""]', "items"),
        ("[]" * 20_000 + "]" * 500_000, "items"),
        ("[]" + "]" * 500_000, None),  # a parser stops at the first of them
        ('["' + "[,{" * 300_000 + '"]', None),
        ('["' + '\\"[,' * 300_000 + '"]', None),
        ('["\\\\",' + "[]," * 300_000 + "[]]", "items"),
    ],
    ids=[
        "deep",
        "lists",
        "strings",
        "pairs",
        "closing",
        "in a string",
        "escaped quotes",
        "escaped slash",
    ],
)
def test_texts_of_many_brackets(text: str, excess: str | None) -> None:
    assert find_excess(text, max_depth=32, max_items=20_000) == excess
