"""Count the tokens of a file's texts, to warn of those that training cuts.

Runs in a reading process. Few texts are all counted. Of many, a random sample is: the tokens of
all would delay the creation of a job by up to a minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from api.files.tokenization import count_tokens, get_tokenizer_file
from shared.datasets import Examples
from shared.domain.task import Task

MAX_COUNTED_ROWS = 20_000
MAX_COUNTED_CHARACTERS = 5_000_000
"""Characters of the counted texts: about a second and a half on one core."""
SAMPLE_SEED = 0
MAX_CACHED_FILES = 8


class EncoderInput(NamedTuple):
    """What a base model can read."""

    max_positions: int
    """Most tokens of an input."""
    folder: Path | None
    """Folder with a ``tokenizer.json``; None if this machine has none."""


@dataclass(frozen=True)
class TextLengths:
    """Numbers of tokens before truncation, special tokens included, by row."""

    tokens_by_row: Mapping[int, int]
    is_sample: bool
    """Whether a random sample of the rows was counted instead of all."""


_cache: dict[tuple[object, ...], TextLengths] = {}
"""Recent files, the oldest first: a dry run and the creation after it count the same texts."""


def measure_text_lengths(
    examples: Examples, task: Task, encoder: EncoderInput, file_id: str
) -> TextLengths | None:
    """Return the lengths, or None without a tokenizer. Raises ModelNotAllowed for an unreadable
    one.
    """
    if encoder.folder is None:
        return None
    modified_ns = get_tokenizer_file(encoder.folder).stat().st_mtime_ns
    columns = (task.header, task.text_column, task.text_pair_column)
    key = (file_id, *columns, encoder.folder, modified_ns)
    lengths = _cache.pop(key, None) or _count_lengths(examples, encoder.folder)
    _cache[key] = lengths
    while len(_cache) > MAX_CACHED_FILES:
        del _cache[next(iter(_cache))]
    return lengths


def _count_lengths(examples: Examples, folder: Path) -> TextLengths:
    rows = _choose_rows(examples)
    chosen = examples.select_rows(rows)
    counts = count_tokens(folder, chosen.texts, chosen.second_texts)
    return TextLengths(dict(zip(rows, counts, strict=True)), len(rows) < len(examples))


def _choose_rows(examples: Examples) -> Sequence[int]:
    """Return all rows, or as many random ones as the limits allow."""
    rows = range(len(examples))
    characters = [len(text) for text in examples.texts]
    if examples.second_texts is not None:
        pairs = zip(characters, examples.second_texts, strict=True)
        characters = [length + len(second) for length, second in pairs]
    if len(rows) <= MAX_COUNTED_ROWS and sum(characters) <= MAX_COUNTED_CHARACTERS:
        return rows
    chosen: list[int] = []
    left = MAX_COUNTED_CHARACTERS
    for row in Random(SAMPLE_SEED).sample(rows, min(len(rows), MAX_COUNTED_ROWS)):
        left -= characters[row]
        if left < 0:
            break
        chosen.append(row)
    return chosen
