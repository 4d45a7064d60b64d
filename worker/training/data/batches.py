"""Which rows go into which batch, in what order."""

from collections.abc import Iterator, Sequence
from itertools import count, islice

import torch

from worker.training.data.tokenization import EncodedText
from worker.training.seeding import order_stream

EVALUATION_BATCH_TOKENS = (
    2048  # tokens, or one row of more; no result depends on it but for rounding
)


def iterate_shuffled_batches(
    rows: Sequence[int], batch_size: int, data_seed: int
) -> Iterator[list[int]]:
    """Batches without end: epoch after epoch in a new order, the last, smaller batch of an
    epoch kept.

    The order of an epoch is a function of ``data_seed`` and the epoch's number.
    """
    for epoch in count():
        order = torch.randperm(len(rows), generator=order_stream(data_seed, epoch)).tolist()
        for start in range(0, len(rows), batch_size):
            yield [rows[place] for place in order[start : start + batch_size]]


def iterate_batches_by_length(rows: Sequence[int], text: EncodedText) -> Iterator[list[int]]:
    """Batches of rows of like length, so that hardly any padding is computed; the longest
    first, so that memory fails at once.
    """
    length = dict(zip(rows, text.list_lengths(rows), strict=True))
    batch: list[int] = []
    for row in sorted(rows, key=length.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * length[batch[0]] > EVALUATION_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def count_trained_tokens(
    text: EncodedText, rows: Sequence[int], batch_size: int, data_seed: int, steps: int
) -> int:
    """Real tokens, padding not counted, in the first ``steps`` batches of ``shuffled``."""
    return sum(
        sum(text.list_lengths(batch))
        for batch in islice(iterate_shuffled_batches(rows, batch_size, data_seed), steps)
    )
