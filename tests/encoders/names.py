"""Patterns of the parameter names in each family's blocks, pooler and head.

They repeat the product's table of families on purpose, because that table is under test.
"""

import re

BLOCK = {
    "distilbert": r"\.transformer\.layer\.(\d+)\.",
    "albert": r"\.albert_layer_groups\.(\d+)\.",
    "modernbert": r"^model\.layers\.(\d+)\.",
}
POOLER = {"bert": r"^bert\.pooler\.", "albert": r"^albert\.pooler\.", "modernbert": r"^head\."}
HEAD = {"deberta": r"^(pooler|classifier)\.", "distilbert": r"^(pre_classifier|classifier)\."}


def is_head(family: str, name: str) -> bool:
    """Return whether the parameter belongs to the classification head."""
    return re.search(HEAD.get(_get_pattern_key(family), r"^classifier\."), name) is not None


def is_pooler(family: str, name: str) -> bool:
    """Return whether the parameter belongs to the pooler."""
    return family in POOLER and re.search(POOLER[family], name) is not None


def get_block(family: str, name: str) -> int | None:
    """Return the index of the parameter's block, from 0 at the bottom."""
    found = re.search(BLOCK.get(family, r"\.encoder\.layer\.(\d+)\."), name)
    return int(found[1]) if found else None


def _get_pattern_key(family: str) -> str:
    return "deberta" if family.startswith("deberta") else family
