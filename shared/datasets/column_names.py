"""Usual column names, compared without case, blanks, underscores and hyphens (``Text_A`` is
``texta``).
"""

import re

SEPARATOR_PATTERN = re.compile(r"[\s_\-]+")

TEXT_PAIR_NAMES: tuple[tuple[str, str], ...] = (
    ("sentence1", "sentence2"),
    ("sentencea", "sentenceb"),
    ("text1", "text2"),
    ("texta", "textb"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "answer"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("#1string", "#2string"),
    ("string1", "string2"),
    ("sent1", "sent2"),
    ("s1", "s2"),
    ("statement1", "statement2"),
    ("textleft", "textright"),
    ("claim", "evidence"),
    ("context", "response"),
)
"""Pairs of text columns, among them GLUE's RTE, STS-B, WNLI, MNLI (sentence), QQP, QNLI
(question) and MRPC (#1 String).
"""

TEXT_NAMES = frozenset(
    {
        "text",
        "texts",
        "sentence",
        "content",
        "review",
        "reviewtext",
        "tweet",
        "message",
        "comment",
        "document",
        "body",
        "utterance",
        "question",
        "query",
        "headline",
        "post",
        "input",
        "passage",
        "prompt",
    }
)

LABEL_NAMES = frozenset(
    {"label", "labels", "target", "class", "classindex", "goldlabel", "isduplicate"}
)
"""Names that always mean the label."""

WEAK_LABEL_NAMES = frozenset(
    {
        "score",
        "category",
        "sentiment",
        "intent",
        "emotion",
        "topic",
        "polarity",
        "rating",
        "stars",
        "quality",
        "stance",
        "verdict",
        "relation",
        "completion",
    }
)
"""Names that often mean the label but yield to ``LABEL_NAMES``: a table with both usually has
the score as well.
"""

ID_NAMES = frozenset({"id", "index", "idx", "guid"})

KNOWN_NAMES = (
    frozenset(name for pair in TEXT_PAIR_NAMES for name in pair)
    | TEXT_NAMES
    | LABEL_NAMES
    | WEAK_LABEL_NAMES
    | ID_NAMES
)
"""Names that distinguish a header from a row of values."""


def normalize_name(name: str) -> str:
    return SEPARATOR_PATTERN.sub("", name.casefold())


def list_text_candidates(names: list[str]) -> list[tuple[int, int | None]]:
    """List every possible (text, second text); one entry means that the choice is clear.

    A pair removes its two columns from the single texts, so question + sentence is one reading,
    not three.
    """
    places: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        places.setdefault(normalize_name(name), []).append(index)
    readings: list[tuple[int, int | None]] = [
        (a, b)
        for first, second in TEXT_PAIR_NAMES
        for a in places.get(first, [])
        for b in places.get(second, [])
    ]
    taken = {index for reading in readings for index in reading}
    for name in places.keys() & TEXT_NAMES:
        readings.extend((index, None) for index in places[name] if index not in taken)
    return sorted(readings, key=lambda reading: reading[0])


def list_label_candidates(names: list[str]) -> list[int]:
    """List the columns that may be the label; one entry means that the choice is clear."""
    for vocabulary in (LABEL_NAMES, WEAK_LABEL_NAMES):
        found = [index for index, name in enumerate(names) if normalize_name(name) in vocabulary]
        if found:
            return found
    return []
