"""Texts on both sides of a split are found whatever their case and blanks, and told apart by
their second text.
"""

from shared.datasets import Examples
from shared.datasets.split.leakage import Leak, PartRows, find_leak, hash_texts
from shared.domain.task import Label


def seen(texts: list[str], labels: list[Label], pairs: list[str] | None = None) -> PartRows:
    examples = Examples(texts=texts, second_texts=pairs, labels=labels)
    return PartRows(hash_texts(examples), labels, range(len(texts)))


def test_copies_are_counted_and_contradictions_told() -> None:
    train = seen(["A good  film", "a bad film", "a bad film", "other"], [1, 0, 1, 0])
    other = seen(["a GOOD\tfilm ", "a good film", "A bad film", "new"], [1, 0, 0, 1])
    found = find_leak(train, other)
    assert found == Leak(rows=[1, 2, 3], conflicting_count=1)
    assert found.summarize().model_dump() == {
        "rows": 3,
        "first_rows": [1, 2, 3],
        "conflicting_labels": 1,
    }


def test_of_a_pair_both_texts_must_be_the_same() -> None:
    train = seen(["a", "a b"], [0, 1], ["b c", "c"])
    assert find_leak(train, seen(["a", "a"], [0, 1], ["B  C", "c"])).rows == [1]
    assert find_leak(train, seen(["a b c"], [0], [""])).rows == []


def test_only_the_parts_own_rows_count_and_the_first_few_are_named() -> None:
    file = seen([f"text {row % 10}" for row in range(40)], [0] * 40)
    train, other = (
        PartRows(file.digests, file.labels, range(5)),
        PartRows(file.digests, file.labels, range(5, 40)),
    )
    found = find_leak(train, other)
    assert found.rows == [row + 1 for row in range(5, 40) if row % 10 < 5]
    assert found.summarize().first_rows == [11, 12, 13, 14, 15]
    assert Leak.merge_leaks([found, Leak([6], 1)]).conflicting_count == 1
