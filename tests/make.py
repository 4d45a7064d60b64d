"""Plain builders of data sets."""

import csv
import io
import random

GOOD = ("good", "joy", "delight", "lovely", "warm", "care")
BAD = ("bad", "dull", "no", "not", "long", "again")
FILLER = ("the", "film", "was", "a", "and", "to", "watch", "story", "told", "with", "is", "this")


def reviews(rows: int = 80, *, seed: int = 0, share_good: float = 0.5) -> list[tuple[str, str]]:
    """Learnable: a text's words give its label away."""
    chance = random.Random(seed)
    made = []
    for index in range(rows):
        good = index < rows * share_good
        words = [*chance.choices(GOOD if good else BAD, k=2), *chance.choices(FILLER, k=5)]
        chance.shuffle(words)
        made.append((" ".join([*words, str(index)]), "good" if good else "bad"))
    chance.shuffle(made)
    return made


def csv_bytes(rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> bytes:
    target = io.StringIO()
    csv.writer(target).writerows([header, *rows])
    return target.getvalue().encode()


def review_csv(rows: int = 80, *, seed: int = 0, share_good: float = 0.5) -> bytes:
    return csv_bytes(list(reviews(rows, seed=seed, share_good=share_good)))


def pair_tsv(rows: int = 80, *, share_same: float = 0.7, seed: int = 0) -> bytes:
    """Sentence pairs as GLUE writes them: unquoted, stray quotes, a byte order mark, skewed
    labels, no newline at the end.
    """
    chance = random.Random(seed)
    lines = ["index\tquestion1\tquestion2\tis_duplicate"]
    for index in range(rows):
        same = index < rows * share_same
        first = " ".join(chance.choices(GOOD + FILLER, k=5))
        second = " ".join(chance.choices(GOOD if same else BAD, k=5))
        lines.append(f'{index}\t{first} "{index}\tis it "so\' {second}\t{int(same)}')
    return b"\xef\xbb\xbf" + "\n".join(lines).encode()
