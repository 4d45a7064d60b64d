"""The networks that pilots compare, the rules for the head, and what a request fixes."""

from typing import Any

import pytest

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import EncoderFacts
from shared.encoders.sentence_pooling import SentencePooling
from shared.recipe import RecipeRequest, RecipeResolution, resolve_recipe
from shared.recipe.candidates import NETWORK_SETTINGS, Candidate, describe_network


def resolve(
    *,
    pairs: bool,
    own_pooling: SentencePooling | None = "mean",
    blocks: int = 6,
    family: str = "bert",
    shared_blocks: int | None = None,
    **asked: Any,
) -> RecipeResolution:
    facts = EncoderFacts("m", family, blocks, 384, 512, shared_blocks, own_pooling)
    return resolve_recipe(RecipeRequest(**asked), facts, 1000, pairs=pairs)


def list_networks(resolution: RecipeResolution) -> list[tuple[object, ...]]:
    """(pair_encoding, pooling, head_first, reinit_pooler, reinit_layers) of the first pilots."""
    assert resolution.pilots is not None
    assert resolution.pilots.rounds is not None
    [first] = resolution.pilots.rounds
    return [Candidate.from_recipe(one).network for one in first.candidates]


def test_single_texts_compare_depths_and_mean_pooling_the_rule_first() -> None:
    found = resolve(pairs=False, own_pooling=None)
    assert list_networks(found) == [
        ("joined", "family", False, True, 1),
        ("joined", "mean", False, False, 0),
        ("joined", "family", False, True, 0),
    ]
    assert found.automatic == [
        "pooling",
        "reinit_layers",
        "learning_rate",
        "max_steps",
    ]


def test_the_rule_keeps_all_blocks_of_a_sentence_encoder() -> None:
    found = resolve(pairs=False)
    assert list_networks(found) == [
        ("joined", "family", False, True, 0),
        ("joined", "mean", False, False, 0),
        ("joined", "family", False, True, 1),
    ]
    assert found.notes["reinit_layers"] == (
        "0: m is a sentence encoder, whose top blocks are worth keeping."
    )


def test_pairs_of_a_sentence_encoder_are_aligned_by_the_rule() -> None:
    found = resolve(pairs=True)
    assert list_networks(found) == [
        ("aligned", "mean", True, False, 0),
        ("joined", "family", False, True, 0),
        ("separate", "mean", True, False, 0),
    ]
    assert found.notes["pair_encoding"] == (
        "aligned: m is a sentence encoder, made to compare texts encoded apart."
    )
    assert found.notes["reinit_layers"].startswith("0: ")
    assert found.automatic[0] == "pair_encoding"


def test_pairs_of_another_encoder_are_joined_by_the_rule() -> None:
    found = resolve(pairs=True, own_pooling=None)
    assert list_networks(found) == [
        ("joined", "family", False, True, 1),
        ("aligned", "mean", True, False, 0),
        ("joined", "family", False, True, 0),
    ]


def test_a_folder_s_own_pooling_is_the_one_that_is_compared() -> None:
    assert {network[1] for network in list_networks(resolve(pairs=False, own_pooling="cls"))} == {
        "family",
        "cls",
    }


@pytest.mark.parametrize(
    ("asked", "networks"),
    [
        ({"pooling": "mean"}, {("joined", "mean", False, False, d) for d in (0, 1, 2)}),
        ({"pooling": "family"}, {("joined", "family", False, True, d) for d in (0, 1, 2)}),
        ({"preset": "reinit"}, {("joined", "family", False, True, d) for d in (0, 1, 2)}),
        ({"reinit_pooler": False}, None),
    ],
)
def test_what_a_request_gives_is_in_every_network(
    asked: dict[str, Any], networks: set[tuple[object, ...]] | None
) -> None:
    found = list_networks(resolve(pairs=False, **asked))
    if networks is not None:
        assert set(found) == networks
    for name, value in asked.items():
        if name in NETWORK_SETTINGS:
            assert {network[NETWORK_SETTINGS.index(name)] for network in found} == {value}


@pytest.mark.parametrize("asked", [{"reinit_layers": 2}, {"reinit_layers": [0, 5]}])
@pytest.mark.parametrize("pairs", [False, True])
def test_a_given_depth_is_one_of_the_family_s_network(asked: dict[str, Any], pairs: bool) -> None:
    found = resolve(pairs=pairs, **asked)
    assert (found.recipe.pair_encoding, found.recipe.pooling) == ("joined", "family")
    assert found.automatic == ["learning_rate", "max_steps"]


def test_a_given_depth_and_length_leave_nothing_to_search() -> None:
    assert resolve(pairs=True, reinit_layers=1, max_steps=20).pilots is None


@pytest.mark.parametrize("encoding", ["separate", "aligned"])
def test_a_given_encoding_leaves_one_head_whose_depth_is_searched(encoding: str) -> None:
    found = resolve(pairs=True, pair_encoding=encoding)
    assert list_networks(found) == [(encoding, "mean", True, False, d) for d in (0, 1, 2)]
    assert resolve(pairs=True, pair_encoding=encoding, reinit_layers=0, max_steps=9).pilots is None


def test_a_request_that_leaves_the_head_open_beside_a_depth_searches_it() -> None:
    found = resolve(pairs=False, reinit_layers=1, pooling="auto")
    assert {network[1] for network in list_networks(found)} == {"family", "mean"}


def test_a_request_may_ask_for_the_search_of_any_preset_s_head() -> None:
    found = resolve(pairs=True, preset="conventional", pair_encoding="auto", pooling="auto")
    assert {network[0] for network in list_networks(found)} == {"joined", "aligned", "separate"}
    assert found.automatic == ["pair_encoding", "pooling", "head_first"]


@pytest.mark.parametrize("encoding", ["separate", "aligned"])
def test_texts_encoded_apart_under_the_family_s_head_are_refused(encoding: str) -> None:
    with pytest.raises(InvalidValue, match="Set it to mean or cls"):
        resolve(pairs=True, pair_encoding=encoding, pooling="family")


def test_a_given_pooler_keeps_the_family_s_head() -> None:
    found = resolve(pairs=True, reinit_pooler=True)
    assert {network[:2] for network in list_networks(found)} == {("joined", "family")}


def test_shared_weights_are_not_searched_by_depth() -> None:
    found = resolve(pairs=False, family="albert", shared_blocks=1)
    assert {network[4] for network in list_networks(found)} == {found.recipe.reinit_layers}


def test_a_network_in_words() -> None:
    candidate = Candidate.create(pair_encoding="joined", pooling="family", reinit_layers=1)
    assert describe_network(candidate, pairs=True) == (
        "joined texts, the family's head and 1 block re-initialized"
    )
    assert describe_network(candidate.change(pooling="mean", reinit_layers=0), pairs=False) == (
        "mean pooling and no block re-initialized"
    )
