"""Whether the first line names the columns, on first lines as data sets have them."""

import pytest

from shared.datasets.readers.header import has_header

SENTENCES = [
    "It rained all day.",
    "Nobody came, so we left.",
    "The end was good.",
    "Who wrote this?",
]


def below(*columns: list[str]) -> list[list[str]]:
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    "first",
    [
        ["text", "label"],
        ["Sentence", "anything"],
        ["\u201ctext\u201d", "Label "],
        ["utterance_raw", "intent name"],
        ["frase", "clase"],
        ["v1", "v2"],
    ],
)
def test_names_above_texts_and_labels(first: list[str]) -> None:
    assert has_header(first, below(SENTENCES, ["yes", "no", "yes", "no"]))
    assert has_header(first[::-1], below(["1", "0", "1", "1"], SENTENCES))


@pytest.mark.parametrize(
    "first",
    [
        ["gj04", "1", "", "Our friends won't buy this analysis."],
        ["Our friends", "1", "x", "y"],
    ],
)
def test_a_number_in_the_first_row_is_a_value(first: list[str]) -> None:
    assert not has_header(
        first,
        below(["gj04", "bc01", "bc01", "gj04"], ["1", "0", "1", "1"], ["", "*", "", ""], SENTENCES),
    )


def test_known_names_stand_above_a_number_too() -> None:
    assert has_header(
        ["0", "text", "label"], below(["1", "2", "3", "4"], SENTENCES, ["a", "b", "a", "b"])
    )


def test_a_word_over_numbers_is_a_name() -> None:
    assert has_header(
        ["a long heading, with a comma", "höhe"], below(SENTENCES, ["1.5", "", "2", "-3e4"])
    )


@pytest.mark.parametrize(
    ("first", "labels"),
    [
        (["It was fine.", "yes"], ["yes", "no", "yes", "no"]),
        (["It was fine", "maybe"], ["yes", "no", "unsure", "never"]),
        (["Fine, I thought.", "rare"], ["yes", "no", "yes", "no"]),
        (["What is it?", "question"], ["statement", "question", "statement", "question"]),
    ],
    ids=[
        "label comes again",
        "labels all differ",
        "the first label is rare",
        "the label is a known name",
    ],
)
def test_a_first_row_of_values(first: list[str], labels: list[str]) -> None:
    assert not has_header(first, below(SENTENCES, labels))


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (["text", "label"], True),
        (["heading", "class name"], True),
        (["A sentence here, really.", "pos"], False),
        (["a", "1"], False),
    ],
)
def test_a_single_line(first: list[str], expected: bool) -> None:
    assert has_header(first, []) is expected
