"""Words that agree with numbers, lists of words and sizes, in messages."""

from collections.abc import Sequence


def format_count(amount: int, noun: str) -> str:
    """Count objects: "1 row", "2 rows", "200,000 rows"."""
    return f"{amount} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def choose_verb(amount: int, singular: str, plural: str) -> str:
    """Choose the form of a verb that agrees with the number of its subjects."""
    return singular if amount == 1 else plural


def join_words(words: Sequence[str]) -> str:
    """Join words to "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def join_alternatives(words: Sequence[str]) -> str:
    """Join words to "a, b or c"."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def lower_first(sentence: str) -> str:
    """Return a sentence, which is not empty, as it stands after a colon."""
    return sentence[0].lower() + sentence[1:]


def format_size(size: int) -> str:
    """Format a number of bytes with three digits or fewer, e.g. ``1.2 MB``."""
    if size < 1000:
        return f"{size} B"
    exponent = min(4, (len(str(size)) - 1) // 3)
    amount = size / 1000**exponent
    unit = ("B", "kB", "MB", "GB", "TB")[exponent]
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
