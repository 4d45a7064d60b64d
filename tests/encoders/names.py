"""The names that transformers gives to the parts of a network, written out once more: the
product's table of them is what is tested.
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
    return re.search(HEAD.get(_kind(family), r"^classifier\."), name) is not None


def is_pooler(family: str, name: str) -> bool:
    return family in POOLER and re.search(POOLER[family], name) is not None


def block_of(family: str, name: str) -> int | None:
    found = re.search(BLOCK.get(family, r"\.encoder\.layer\.(\d+)\."), name)
    return int(found[1]) if found else None


def _kind(family: str) -> str:
    return "deberta" if family.startswith("deberta") else family
