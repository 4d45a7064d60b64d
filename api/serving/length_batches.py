"""Rows of similar length, so that a forward pass computes hardly any padding."""

from collections.abc import Iterator, Sequence

MAX_TOKENS_PER_PASS = 1024  # rows × tokens; it affects predictions by rounding only


def iterate_length_batches(
    lengths: Sequence[int], max_tokens: int = MAX_TOKENS_PER_PASS
) -> Iterator[list[int]]:
    """Group rows of similar length.

    A batch has at most ``max_tokens`` tokens with padding; a longer row forms its own batch.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > max_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
