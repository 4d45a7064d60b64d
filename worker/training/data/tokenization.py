"""Tokenized text: from rows of text to batches of token ids.

A file is tokenized once per base model and task; the warm trainer process keeps the result for the
job's other seeds. Padded batches are padded to their own longest row, so short texts do not cost
``max_seq_length`` tokens.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BatchEncoding, PreTrainedTokenizerBase

from shared.datasets import Examples, InputFile, Limits, load_examples, load_texts, read_table
from shared.domain.task import ColumnReference, Label, Task
from shared.recipe import PairEncoding
from worker.training.data.targets import build_targets
from worker.training.data.tokenizer import load_tokenizer
from worker.training.device import to_device
from worker.training.packed.packed_layout import PackedLayout
from worker.training.spec import DataFile

TOKENIZER_CHUNK_ROWS = 1000
"""Rows tokenized between two checks for a stop."""

UNLIMITED_ROWS = Limits(max_rows=10**9)
"""Limits of stored files: the number of rows was checked at upload."""


@dataclass(frozen=True)
class Batch:
    """Inputs and labels of one forward pass."""

    inputs: dict[str, Tensor]
    """Keyword arguments of the network's forward pass.

    Each has shape (rows, tokens), or (1, tokens of all rows) in a packed batch.
    """
    labels: Tensor
    """Targets of shape (rows,), or (rows, labels) for multi-label and soft labels; see
    ``EncodedText.build_targets``."""
    layout: PackedLayout | None = None
    """Positions of the rows in a packed batch; None for a padded batch."""

    def to(self, device: torch.device) -> "Batch":
        """Move the batch to a device."""
        inputs = {name: to_device(tensor, device) for name, tensor in self.inputs.items()}
        return Batch(inputs, to_device(self.labels, device), self.layout)


@dataclass(frozen=True)
class EncodedText:
    """A file's rows as token ids, in the order of the file.

    A row is one sequence of tokens. Where the texts of a pair are encoded separately it is two: the
    sequences of all first texts are followed by those of all second texts.
    """

    columns: dict[str, list[Tensor]]
    """``input_ids`` and, if the family has them, ``token_type_ids``: a 1-D int64 tensor per
    sequence."""
    padding: dict[str, int]
    """Padding value by column."""
    examples: Examples
    """Texts and labels of the rows."""
    truncated: list[bool]
    """Whether a sequence of each row was longer than ``max_seq_length`` tokens."""
    sequences_per_row: int = 1
    """2 where the texts of a pair are encoded separately."""
    soft_labels: Tensor | None = None
    """What to train on in place of the labels: float32 probabilities or numbers of shape
    (rows, outputs). None to train on the labels."""

    @property
    def labels(self) -> Sequence[Label]:
        return self.examples.labels

    def list_lengths(self, rows: Sequence[int]) -> list[int]:
        """Return the number of tokens of each row, over all of its sequences."""
        lengths = self.list_sequence_lengths(self.list_sequences(rows))
        return [sum(lengths[index :: len(rows)]) for index in range(len(rows))]

    def list_sequences(self, rows: Sequence[int]) -> list[int]:
        """Return the sequences of the rows: all first ones, then all second ones."""
        count = len(self.columns["input_ids"]) // self.sequences_per_row
        return [row + part * count for part in range(self.sequences_per_row) for row in rows]

    def list_sequence_lengths(self, sequences: Sequence[int]) -> list[int]:
        """Return the number of tokens of each sequence."""
        return [len(self.columns["input_ids"][sequence]) for sequence in sequences]

    def build_padded_batch(self, rows: Sequence[int]) -> Batch:
        """Return a batch padded on the right to its longest sequence."""
        sequences = self.list_sequences(rows)
        padded = {
            name: pad_sequence(
                [column[sequence] for sequence in sequences],
                batch_first=True,
                padding_value=self.padding[name],
            )
            for name, column in self.columns.items()
        }
        lengths = torch.tensor(self.list_sequence_lengths(sequences))
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        return Batch({**padded, "attention_mask": mask}, self.build_targets(rows))

    def build_targets(self, rows: Sequence[int]) -> Tensor:
        """Return the labels of the rows, or their soft labels, as targets."""
        if self.soft_labels is not None:
            soft = self.soft_labels[list(rows)]
            return soft if self.examples.num_labels else soft.squeeze(-1)
        return build_targets([self.labels[row] for row in rows], self.examples.num_labels)


def encode_examples(
    examples: Examples,
    tokenizer: PreTrainedTokenizerBase,
    max_seq_length: int,
    check_stop: Callable[[], None],
    pair_encoding: PairEncoding = "joined",
) -> EncodedText:
    """Tokenize every row; the longer text of a joined pair is truncated first.

    ``check_stop`` is called before each chunk of rows and may raise.
    """
    columns: dict[str, list[Tensor]] = {}
    truncated: list[bool] = []
    parts = _list_tokenizer_inputs(examples, pair_encoding)
    for (first, second), start in product(
        parts, range(0, len(examples.texts), TOKENIZER_CHUNK_ROWS)
    ):
        check_stop()
        chunk = slice(start, start + TOKENIZER_CHUNK_ROWS)
        encoded = _tokenize_texts(
            first[chunk], None if second is None else second[chunk], tokenizer, max_seq_length
        )
        for name, rows in encoded.items():
            columns.setdefault(name, []).extend(torch.tensor(row) for row in rows)
        truncated.extend(bool(row.overflowing) for row in encoded.encodings or ())
    count = len(examples.texts)
    return EncodedText(
        columns,
        {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id},
        examples,
        [any(truncated[row::count]) for row in range(count)],
        sequences_per_row=len(parts),
    )


def _list_tokenizer_inputs(
    examples: Examples, pair_encoding: PairEncoding
) -> list[tuple[Sequence[str], Sequence[str] | None]]:
    """Return texts and their second texts for every sequence of a row."""
    if pair_encoding == "joined":
        return [(examples.texts, examples.second_texts)]
    assert examples.second_texts is not None, "planning refuses separate encoding of single texts"
    return [(examples.texts, None), (examples.second_texts, None)]


def _tokenize_texts(
    texts: Sequence[str],
    second_texts: Sequence[str] | None,
    tokenizer: PreTrainedTokenizerBase,
    max_seq_length: int,
) -> BatchEncoding:
    encoded: BatchEncoding = tokenizer(
        list(texts),
        None if second_texts is None else list(second_texts),
        truncation="longest_first",
        max_length=max_seq_length,
        padding=False,
        return_attention_mask=False,
    )
    return encoded


class TextCache:
    """The last few encoded files of this process, by content.

    A warm trainer thus reads a job's files once for all of its seeds.
    """

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._entries: OrderedDict[str, EncodedText] = OrderedDict()

    def get_encoded_text(
        self,
        file: DataFile,
        task: Task,
        base_model: Path,
        check_stop: Callable[[], None],
        *,
        param: str,
        group_by: ColumnReference | None = None,
        pair_encoding: PairEncoding = "joined",
    ) -> EncodedText:
        """Return the encoded file. Raise InvalidValue for ``param`` if it does not fit the task.

        A file of unlabelled texts has no labels, also if it has a column of them.
        """
        is_unlabelled = param == InputFile.UNLABELLED
        options = (repr(group_by), pair_encoding, str(is_unlabelled))
        key = _build_cache_key(file, task, base_model, *options)
        if key not in self._entries:
            table = read_table(file.path, file.filename, header=task.header, limits=UNLIMITED_ROWS)
            examples = (
                load_texts(table, task, param=param)
                if is_unlabelled
                else load_examples(table, task, group_by=group_by, param=param)
            )
            self._entries[key] = encode_examples(
                examples,
                load_tokenizer(base_model),
                task.max_seq_length,
                check_stop,
                pair_encoding,
            )
        return self._use_entry(key)

    def _use_entry(self, key: str) -> EncodedText:
        """Return an entry as the last one used, and drop the entries used least recently."""
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return self._entries[key]


def _build_cache_key(file: DataFile, task: Task, base_model: Path, *options: str) -> str:
    with file.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return "\n".join((digest, file.filename, str(base_model), task.model_dump_json(), *options))
