"""Column names as data sets have them, compared without case, blanks, underscores and hyphens (``Text_A`` is ``texta``)."""

import re

SEPARATORS = re.compile(r"[\s_\-]+")

PAIRS: tuple[tuple[str, str], ...] = (
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
"""Two texts that belong together; GLUE's RTE, STS-B, WNLI, MNLI (sentence), QQP, QNLI (question), MRPC (#1 String) are among them."""

TEXTS = frozenset(
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

LABELS = frozenset({"label", "labels", "target", "class", "classindex", "goldlabel", "isduplicate"})
"""Names that mean nothing but the label."""

WEAKER_LABELS = frozenset(
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
"""Names that often mean the label, but give way to one of ``LABELS``: a table with both usually has the score as well."""

OTHERS = frozenset({"id", "index", "idx", "guid"})

KNOWN = frozenset(name for pair in PAIRS for name in pair) | TEXTS | LABELS | WEAKER_LABELS | OTHERS
"""What tells a header from a row of values."""


def plain(name: str) -> str:
    return SEPARATORS.sub("", name.casefold())


def text_candidates(names: list[str]) -> list[tuple[int, int | None]]:
    """Every reading of these names as (text, second text) that is open; one entry means that it is clear.

    A pair takes its two columns out of the single texts, so question + sentence is one reading, not three.
    """
    places: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        places.setdefault(plain(name), []).append(index)
    readings: list[tuple[int, int | None]] = []
    taken: set[int] = set()
    for first, second in PAIRS:
        for a in places.get(first, []):
            for b in places.get(second, []):
                readings.append((a, b))
                taken |= {a, b}
    for name in places.keys() & TEXTS:
        readings.extend((index, None) for index in places[name] if index not in taken)
    return sorted(readings, key=lambda reading: reading[0])


def label_candidates(names: list[str]) -> list[int]:
    """The columns that may be the label; one entry means that it is clear."""
    for vocabulary in (LABELS, WEAKER_LABELS):
        found = [index for index, name in enumerate(names) if plain(name) in vocabulary]
        if found:
            return found
    return []
