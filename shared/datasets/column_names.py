"""Usual column names, compared without case, blanks, underscores and hyphens (``Text_A`` is
``texta``).
"""

import re

SEPARATOR_PATTERN = re.compile(r"[\s_\-]+")

TEXT_PAIR_NAMES: tuple[tuple[str, str], ...] = (
    ("sentence1", "sentence2"),
    ("sentencea", "sentenceb"),
    ("text1", "text2"),
    ("text", "textpair"),
    ("sentence", "sentencepair"),
    ("firsttext", "secondtext"),
    ("firstsentence", "secondsentence"),
    ("phrase1", "phrase2"),
    ("input1", "input2"),
    ("query1", "query2"),
    ("title1", "title2"),
    ("document1", "document2"),
    ("doc1", "doc2"),
    ("questiona", "questionb"),
    ("sentenceleft", "sentenceright"),
    ("texta", "textb"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "answer"),
    ("question", "passage"),
    ("query", "answer"),
    ("claim", "premise"),
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
    {
        "label",
        "labels",
        "target",
        "class",
        "classindex",
        "goldlabel",
        "isduplicate",
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
"""Names that mean the label if a file has one of them. ``target`` may be what a stance is about,
``class`` a school class and ``topic`` a second task, so two of them are a question.
"""

OWN_LABEL_NAMES = frozenset({"label", "labels", "goldlabel"})
"""Names that mean the label even beside a ``score``: a file with both has the score as well."""

COMPANION_TEXT_NAMES = frozenset(name for pair in TEXT_PAIR_NAMES for name in pair) | frozenset(
    {
        "title",
        "context",
        "description",
        "summary",
        "abstract",
        "subject",
        "article",
        "paragraph",
        "story",
        "reply",
        "answer",
        "response",
        "completion",
        "output",
        "instruction",
        "chosen",
        "rejected",
        "subtitle",
        "excerpt",
        "selftext",
    }
)
"""Names of texts that stand beside another text. They are never the text on their own account,
but leaving one out is a decision for the user.
"""

ID_NAMES = frozenset({"id", "index", "idx", "guid"})

NOT_TEXT_NAMES = ID_NAMES | frozenset(
    {"ids", "uuid", "key", "hash", "date", "day", "datetime", "time", "timestamp", "year", "url"}
)
"""Names of columns that are never taken for the text because no other column is left."""

KNOWN_NAMES = (
    frozenset(name for pair in TEXT_PAIR_NAMES for name in pair)
    | TEXT_NAMES
    | LABEL_NAMES
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
    known = {index: normalize_name(name) for index, name in enumerate(names)}
    found = [index for index, name in known.items() if name in LABEL_NAMES]
    if any(known[index] in OWN_LABEL_NAMES for index in found):
        return [index for index in found if known[index] != "score"]
    return found


def list_companion_texts(names: list[str]) -> list[int]:
    """List the columns that may be a text beside another one: ``title``, ``review_body``."""
    return [index for index, name in enumerate(names) if _is_companion_name(name)]


def _is_companion_name(name: str) -> bool:
    words = _split_words(name)
    if normalize_name(name) in COMPANION_TEXT_NAMES:
        return True
    # label_text describes the label
    is_compound = len(words) > 1 and words[0] not in LABEL_NAMES
    return is_compound and words[-1] in COMPANION_TEXT_NAMES | TEXT_NAMES


def _split_words(name: str) -> list[str]:
    return [word for word in SEPARATOR_PATTERN.split(name.casefold()) if word]


def is_not_text_name(name: str) -> bool:
    """Whether a column with this name is an id or a date: ``tweet_id``, ``Created Date``."""
    words = _split_words(name)
    return bool(words) and (words[-1] in NOT_TEXT_NAMES or normalize_name(name) in NOT_TEXT_NAMES)
