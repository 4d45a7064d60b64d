"""``evenkeel sample``: a small made-up data set to try the service with, the same every time.

Each review praises or criticizes one thing. Half of them also say the opposite of another thing,
before or after, so that single words do not decide the label.
"""

import csv
import random
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from cli.errors import CliError

THINGS: Final = (
    "story", "plot", "ending", "music", "camera work", "dialogue", "cast", "pace", "humor",
    "opening scene", "second half", "script",
)  # fmt: skip
WORDS_BY_STARS: Final = {
    1: ("dreadful", "unbearable", "painfully bad", "a waste of time"),
    2: ("dull", "weak", "forgettable", "too long"),
    4: ("good", "charming", "lovely", "worth seeing"),
    5: ("wonderful", "brilliant", "a delight", "simply perfect"),
}
OPENINGS: Final = ("", "Honestly, ", "To my surprise, ", "As my sister says, ", "All in all, ")
ENDINGS: Final = (
    "",
    " from start to end",
    " for a rainy evening",
    " even the second time",
    " to me",
)
PLACES: Final = ("of this film", "of the new series", "of her first film", "of the remake")
SEED: Final = 0


class SampleTask(StrEnum):
    """What is to be learned from the sample."""

    REVIEWS = "reviews"
    PAIRS = "pairs"
    REGRESSION = "regression"


def write_sample(path: Path, task: SampleTask, rows: int, *, force: bool) -> None:
    """Write a CSV file with a header; raise CliError instead of replacing a file."""
    header, make_row = _MAKERS[task]
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(_list_distinct_rows(make_row, rows))
    except FileExistsError:
        raise CliError(
            f"{path} already exists. Choose another name, or replace it with --force."
        ) from None
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}.") from error


def _list_distinct_rows(
    make_row: Callable[[random.Random, int], tuple[str, ...]], rows: int
) -> Iterator[tuple[str, ...]]:
    """Iterate over rows of which no two have the same text."""
    chance, written = random.Random(SEED), set[str]()
    while len(written) < rows:
        row = make_row(chance, len(written))
        if row[0] not in written:
            written.add(row[0])
            yield row


def _make_review(chance: random.Random, stars: int) -> str:
    thing, other = chance.sample(THINGS, 2)
    verdict = chance.choice(WORDS_BY_STARS[stars])
    text = f"the {thing} {chance.choice(PLACES)} is {verdict}{chance.choice(ENDINGS)}"
    contrary = chance.choice(WORDS_BY_STARS[chance.choice((1, 2) if stars > 3 else (4, 5))])
    match chance.randrange(4):
        case 0:
            text = f"the {other} is {contrary}, but {text}"
        case 1:
            text = f"{text}, although the {other} is {contrary}"
    opening = chance.choice(OPENINGS)
    text = opening + text if opening else text[0].upper() + text[1:]
    return f"{text}."


def _make_review_row(chance: random.Random, number: int) -> tuple[str, str]:
    review = _make_review(chance, chance.choice((1, 2) if number % 2 else (4, 5)))
    return review, "negative" if number % 2 else "positive"


def _make_pair_row(chance: random.Random, number: int) -> tuple[str, str, str]:
    """Make two reviews that agree about the film, or do not."""
    agree = number % 2 == 0
    good, bad = (4, 5), (1, 2)
    first_stars = chance.choice((good, bad))
    second_stars = first_stars if agree else {good: bad, bad: good}[first_stars]
    first = _make_review(chance, chance.choice(first_stars))
    second = _make_review(chance, chance.choice(second_stars))
    return first, second, "agree" if agree else "differ"


def _make_rated_row(chance: random.Random, number: int) -> tuple[str, str]:
    stars = tuple(WORDS_BY_STARS)[number % len(WORDS_BY_STARS)]
    review = _make_review(chance, stars)
    return review, f"{stars + chance.uniform(-0.5, 0.5):.2f}"


_MAKERS: Final[
    dict[SampleTask, tuple[tuple[str, ...], Callable[[random.Random, int], tuple[str, ...]]]]
] = {
    SampleTask.REVIEWS: (("text", "label"), _make_review_row),
    SampleTask.PAIRS: (("sentence1", "sentence2", "label"), _make_pair_row),
    SampleTask.REGRESSION: (("text", "stars"), _make_rated_row),
}
"""The header of each kind of sample, and the function that makes a row of it."""
