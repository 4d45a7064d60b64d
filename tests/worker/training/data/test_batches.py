"""Batches: token counts, and evaluation batches by length."""

from pathlib import Path

import pytest

from tests.worker.training.data.test_tokenization import encode_texts
from worker.training.data.batches import count_trained_tokens, iterate_batches_by_length


def test_tokens_are_counted_without_padding(tiny_bert: Path) -> None:
    text = encode_texts(tiny_bert, ["good", "bad film", "a the film"])
    lengths = [3, 4, 5]
    assert text.list_lengths([0, 1, 2]) == lengths
    assert count_trained_tokens(text, [0, 1, 2], batch_size=2, data_seed=0, steps=4) == 2 * sum(
        lengths
    )


def test_evaluation_batches_have_rows_of_similar_length_and_every_row_once(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.training.data.batches.EVALUATION_BATCH_TOKENS", 60)
    text = encode_texts(tiny_bert, ["good " * (index % 13) for index in range(70)])
    rows = list(range(5, 70))
    batches = list(iterate_batches_by_length(rows, text))
    assert sorted(row for batch in batches for row in batch) == rows
    lengths = [length for batch in batches for length in text.list_lengths(batch)]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(batch) * max(text.list_lengths(batch)) <= 60 for batch in batches)
    assert all((len(batch) + 1) * max(text.list_lengths(batch)) > 60 for batch in batches[:-1])
    monkeypatch.setattr("worker.training.data.batches.EVALUATION_BATCH_TOKENS", 2)
    # every row alone exceeds the limit
    assert list(iterate_batches_by_length([3, 9, 1], text)) == [[9], [3], [1]]
