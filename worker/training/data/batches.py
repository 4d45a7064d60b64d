"""Which rows go into which batch, in what order."""

from collections.abc import Iterator, Sequence
from itertools import count, islice

import torch

from worker.training.data.tokenization import EncodedText
from worker.training.seeding import order_stream

EVALUATION_BATCH = 2048  # tokens, or one row of more; no result depends on it but for rounding


def shuffled(rows: Sequence[int], batch_size: int, data_seed: int) -> Iterator[list[int]]:
    """Batches without end: epoch after epoch in a new order, the last, smaller batch of an epoch kept.

    The order of an epoch is a function of ``data_seed`` and the epoch's number.
    """
    for epoch in count():
        order = torch.randperm(len(rows), generator=order_stream(data_seed, epoch)).tolist()
        for start in range(0, len(rows), batch_size):
            yield [rows[place] for place in order[start : start + batch_size]]


def by_length(rows: Sequence[int], text: EncodedText) -> Iterator[list[int]]:
    """Batches of rows of like length, so that hardly any padding is computed; the longest first, so that memory fails at once."""
    length = dict(zip(rows, text.lengths(rows), strict=True))
    batch: list[int] = []
    for row in sorted(rows, key=length.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * length[batch[0]] > EVALUATION_BATCH:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def tokens_trained(
    text: EncodedText, rows: Sequence[int], batch_size: int, data_seed: int, steps: int
) -> int:
    """Real tokens, padding not counted, in the first ``steps`` batches of ``shuffled``."""
    return sum(
        sum(text.lengths(batch)) for batch in islice(shuffled(rows, batch_size, data_seed), steps)
    )
