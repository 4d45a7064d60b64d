"""The networks that pilots compare: how pairs are encoded, what the head reads, what is new.

These settings belong together. A re-initialized block helps a new head on one token's state, and
destroys what a sentence encoder's mean is worth; texts encoded apart need a head that starts
from a fit. So pilots compare whole networks, not one setting at a time.
"""

from collections.abc import Iterator, Sequence

from shared.encoders.catalogue import EncoderFacts
from shared.recipe.candidates import NETWORK_SETTINGS, SettingValue
from shared.recipe.head_choice import ENCODED_APART
from shared.recipe.rules import compute_reinit_depth
from shared.recipe.value import Recipe

Network = dict[str, SettingValue]
"""Changes of a recipe: a value for each of ``NETWORK_SETTINGS``."""
MAX_NETWORKS = 3
"""Networks to compare; each costs a pilot of half the length."""


def list_networks(
    rule: Recipe, automatic: Sequence[str], facts: EncoderFacts, *, pairs: bool
) -> list[Network]:
    """Return the networks to compare, the rule's first, then the most promising ones.

    ``rule`` is resolved by the rules. Settings that are not ``automatic`` keep its values.
    """
    heads = list(_iterate_heads(rule, automatic, facts, pairs=pairs))
    own = (rule.pair_encoding, rule.pooling)
    heads.sort(key=lambda head: head != own)
    ladders = [
        [
            _build_network(rule, automatic, facts, encoding, pooling, depth)
            for depth in _list_depths(rule, automatic, facts, pooling, alone=len(heads) == 1)
        ]
        for encoding, pooling in heads
    ]
    longest = max(len(ladder) for ladder in ladders)
    ordered = [ladder[rung] for rung in range(longest) for ladder in ladders if rung < len(ladder)]
    rule_network = {name: _to_setting_value(getattr(rule, name)) for name in NETWORK_SETTINGS}
    distinct: list[Network] = [rule_network]
    distinct += [network for network in ordered if network != rule_network]
    return distinct[:MAX_NETWORKS]


def _iterate_heads(
    rule: Recipe, automatic: Sequence[str], facts: EncoderFacts, *, pairs: bool
) -> Iterator[tuple[str, str]]:
    """Yield pairs of ``pair_encoding`` and ``pooling`` that fit together."""
    pooled = facts.pooling or "mean"
    poolings = ["family", pooled] if "pooling" in automatic else [rule.pooling]
    if "pair_encoding" in automatic and pairs:
        # two vectors are worth comparing if the encoder was trained to give such vectors
        encodings = ["joined", "aligned", *(["separate"] if facts.pooling else [])]
    else:
        encodings = [rule.pair_encoding]
    is_everything_searched = len(encodings) > 1 and len(poolings) == 2
    for encoding in encodings:
        for pooling in poolings:
            if encoding in ENCODED_APART and pooling == "family":
                continue  # the family's head reads one sequence
            if is_everything_searched and encoding == "joined" and pooling != "family":
                continue  # the least promising: a sentence encoder was not made for joined texts
            yield encoding, pooling


def _list_depths(
    rule: Recipe, automatic: Sequence[str], facts: EncoderFacts, pooling: str, *, alone: bool
) -> list[SettingValue]:
    """Return the re-initialized blocks to compare.

    A sole head is tried with 0, a sixth of the blocks and twice that: of BERT-large's 24 blocks 0,
    4 and 8, around the paper's 1 to 6. The blocks of a sentence encoder are rather kept.
    """
    if "reinit_layers" not in automatic:
        return [_to_setting_value(rule.reinit_layers)]
    depth = min(compute_reinit_depth(facts), facts.num_blocks)
    if alone:
        return [depth, 0, min(2 * depth, facts.num_blocks)]
    if pooling != "family":
        return [0]
    return [depth, 0] if facts.pooling is None else [0, depth]


def _build_network(
    rule: Recipe,
    automatic: Sequence[str],
    facts: EncoderFacts,
    encoding: str,
    pooling: str,
    depth: SettingValue,
) -> Network:
    if pooling == rule.pooling:
        reinit_pooler = rule.reinit_pooler
    else:  # a preset whose depth is searched re-initializes the pooler where there is one
        reinit_pooler = pooling == "family" and "reinit_layers" in automatic and facts.has_pooler
    is_searched = "head_first" in automatic
    return {
        "pair_encoding": encoding,
        "pooling": pooling,
        "head_first": encoding in ENCODED_APART if is_searched else rule.head_first,
        "reinit_pooler": reinit_pooler,
        "reinit_layers": depth,
    }


def _to_setting_value(value: float | str | list[int]) -> SettingValue:
    return tuple(value) if isinstance(value, list) else value
