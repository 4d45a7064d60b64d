"""Composition and order of batches."""

from collections.abc import Iterator, Sequence
from itertools import count, islice

import torch

from worker.training.data.tokenization import EncodedText
from worker.training.seeding import order_stream

EVALUATION_BATCH_TOKENS = 2048
"""Most padded tokens of an evaluation batch of several rows; affects results only by rounding."""


def iterate_shuffled_batches(
    rows: Sequence[int], batch_size: int, data_seed: int
) -> Iterator[list[int]]:
    """Iterate over batches endlessly, every epoch in a new order and with its smaller last batch.

    The order of an epoch is a function of ``data_seed`` and the epoch's number.
    """
    for epoch in count():
        order = torch.randperm(len(rows), generator=order_stream(data_seed, epoch)).tolist()
        for start in range(0, len(rows), batch_size):
            yield [rows[index] for index in order[start : start + batch_size]]


def iterate_batches_by_length(rows: Sequence[int], text: EncodedText) -> Iterator[list[int]]:
    """Iterate over batches of rows of similar length, so that little padding is computed.

    The longest rows come first, so that a lack of memory shows at once.
    """
    lengths = dict(zip(rows, text.list_lengths(rows), strict=True))
    batch: list[int] = []
    for row in sorted(rows, key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > EVALUATION_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def count_trained_tokens(
    text: EncodedText, rows: Sequence[int], batch_size: int, data_seed: int, steps: int
) -> int:
    """Count the tokens, without padding, of the first ``steps`` training batches."""
    return sum(
        sum(text.list_lengths(batch))
        for batch in islice(iterate_shuffled_batches(rows, batch_size, data_seed), steps)
    )
