"""Warn about texts that are longer than a job's ``max_seq_length``, whose rest is not read."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from api.jobs.planning.job_data import JobData
from api.jobs.planning.text_lengths import EncoderInput
from shared.datasets import SplitPart
from shared.domain.job_facts import TRUNCATION_WARNING, JobWarning
from shared.domain.task import MAX_SEQ_LENGTH

LENGTH_STEP = 8
"""Suggested lengths are multiples of this."""


class _PartLengths(NamedTuple):
    """Tokens of the counted rows of a split."""

    split: str
    tokens: Sequence[int]
    rows: int
    """All rows of the split."""

    def count_longer(self, length: int) -> int:
        return sum(tokens > length for tokens in self.tokens)


def warn_truncated_texts(data: JobData, encoder: EncoderInput) -> Iterator[JobWarning]:
    """Warn of cut texts in any split, with their number and the length that would avoid it."""
    parts = _list_part_lengths(data)
    length = data.task.max_seq_length
    longer = [part for part in parts if part.count_longer(length)]
    if not longer:
        return
    tokens = sorted(tokens for part in parts for tokens in part.tokens)
    p95 = tokens[math.ceil(0.95 * len(tokens)) - 1]
    is_one = [part.count_longer(length) for part in longer] == [1]
    effect = (
        "is longer than {} tokens and loses its end"
        if is_one
        else ("are longer than {} tokens and lose their end")
    )
    yield JobWarning(
        code=TRUNCATION_WARNING,
        message=f"{' and '.join(_describe_part(part, length) for part in longer)} "
        f"{effect.format(length)} (95th percentile: {p95:,} tokens, longest: {tokens[-1]:,}). "
        f"{_suggest_length(tokens, length, encoder.max_positions)}",
    )


def _list_part_lengths(data: JobData) -> list[_PartLengths]:
    """Return the lengths by split, and of unlabelled texts; under k-fold every row of the folds is
    a training row.
    """
    first = data.folds[0]
    parts: list[tuple[str, Sequence[SplitPart]]] = [("training", [first.train])]
    if len(data.folds) > 1:
        parts = [("training", [first.train, first.validation])]
    else:
        parts.append(("validation", [first.validation]))
    if first.test is not None:
        parts.append(("test", [first.test]))
    if data.unlabelled is not None:
        parts.append(("unlabelled", [data.unlabelled]))
    return [
        _PartLengths(
            split,
            [tokens for part in members for tokens in _list_tokens(data, part)],
            sum(len(part.rows) for part in members),
        )
        for split, members in parts
    ]


def _list_tokens(data: JobData, part: SplitPart) -> list[int]:
    lengths = data.files[part.source].lengths
    if lengths is None:
        return []
    by_row = lengths.tokens_by_row
    return [by_row[row] for row in part.rows if row in by_row]


def _describe_part(part: _PartLengths, length: int) -> str:
    count, counted = part.count_longer(length), len(part.tokens)
    share = f"{count / counted:.0%}" if count >= counted / 200 else "under 1%"
    if counted < part.rows:
        sample = f"random sample of {counted:,} of {part.rows:,}"
        return f"{count:,} {part.split} texts ({share}) in a {sample}"
    return f"{count:,} of {counted:,} {part.split} texts ({share})"


def _suggest_length(tokens: Sequence[int], length: int, max_positions: int) -> str:
    """Return the advice; ``tokens`` are in ascending order."""
    limit = min(max_positions, MAX_SEQ_LENGTH)
    if length >= limit:
        return "No larger task.max_seq_length exists for this model; shorten or split the texts."
    enough = LENGTH_STEP * math.ceil(tokens[-1] / LENGTH_STEP)
    if enough <= limit:
        return f"Set task.max_seq_length to {enough} to read them whole."
    return f"Set task.max_seq_length to {limit}, this model's limit; longer texts are still cut."
