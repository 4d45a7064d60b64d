"""Tokenized text: from rows of text to batches of token ids.

A file is tokenized once per base model and task; the warm trainer process keeps the result for the
job's other seeds. Padded batches are padded to their own longest row, so short texts do not cost
``max_seq_length`` tokens.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BatchEncoding, PreTrainedTokenizerBase

from shared.datasets import Examples, Limits, load_examples, read_table
from shared.domain.task import ColumnReference, Label, Task
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
    """Targets of shape (rows,), or (rows, labels) for multi-label; see ``build_targets``."""
    layout: PackedLayout | None = None
    """Positions of the rows in a packed batch; None for a padded batch."""

    def to(self, device: torch.device) -> "Batch":
        """Move the batch to a device."""
        inputs = {name: to_device(tensor, device) for name, tensor in self.inputs.items()}
        return Batch(inputs, to_device(self.labels, device), self.layout)


@dataclass(frozen=True)
class EncodedText:
    """A file's rows as token ids, in the order of the file."""

    columns: dict[str, list[Tensor]]
    """``input_ids`` and, if the family has them, ``token_type_ids``: 1-D int64 tensors per row."""
    padding: dict[str, int]
    """Padding value by column."""
    examples: Examples
    """Texts and labels of the rows."""
    truncated: list[bool]
    """Whether each row was longer than ``max_seq_length`` tokens."""

    @property
    def labels(self) -> Sequence[Label]:
        return self.examples.labels

    def list_lengths(self, rows: Sequence[int]) -> list[int]:
        """Return the number of tokens of each row."""
        return [len(self.columns["input_ids"][row]) for row in rows]

    def build_padded_batch(self, rows: Sequence[int]) -> Batch:
        """Return a batch padded on the right to its longest row."""
        padded = {
            name: pad_sequence(
                [column[row] for row in rows], batch_first=True, padding_value=self.padding[name]
            )
            for name, column in self.columns.items()
        }
        lengths = torch.tensor(self.list_lengths(rows))
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        return Batch({**padded, "attention_mask": mask}, self.build_targets(rows))

    def build_targets(self, rows: Sequence[int]) -> Tensor:
        """Return the labels of the rows as targets."""
        return build_targets([self.labels[row] for row in rows], self.examples.num_labels)


def encode_examples(
    examples: Examples,
    tokenizer: PreTrainedTokenizerBase,
    max_seq_length: int,
    check_stop: Callable[[], None],
) -> EncodedText:
    """Tokenize every row; the longer text of a pair is truncated first.

    ``check_stop`` is called before each chunk of rows and may raise.
    """
    columns: dict[str, list[Tensor]] = {}
    truncated: list[bool] = []
    for start in range(0, len(examples.texts), TOKENIZER_CHUNK_ROWS):
        check_stop()
        chunk = slice(start, start + TOKENIZER_CHUNK_ROWS)
        encoded = _tokenize_rows(examples, chunk, tokenizer, max_seq_length)
        for name, rows in encoded.items():
            columns.setdefault(name, []).extend(torch.tensor(row) for row in rows)
        truncated.extend(bool(row.overflowing) for row in encoded.encodings or ())
    padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    return EncodedText(columns, padding, examples, truncated)


def _tokenize_rows(
    examples: Examples, rows: slice, tokenizer: PreTrainedTokenizerBase, max_seq_length: int
) -> BatchEncoding:
    encoded: BatchEncoding = tokenizer(
        list(examples.texts[rows]),
        None if examples.second_texts is None else list(examples.second_texts[rows]),
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
    ) -> EncodedText:
        """Return the encoded file. Raise InvalidValue for ``param`` if it does not fit the task."""
        key = _build_cache_key(file, task, base_model, group_by)
        if key not in self._entries:
            table = read_table(file.path, file.filename, header=task.header, limits=UNLIMITED_ROWS)
            examples = load_examples(table, task, group_by=group_by, param=param)
            self._entries[key] = encode_examples(
                examples, load_tokenizer(base_model), task.max_seq_length, check_stop
            )
        return self._use_entry(key)

    def _use_entry(self, key: str) -> EncodedText:
        """Return an entry as the last one used, and drop the entries used least recently."""
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return self._entries[key]


def _build_cache_key(
    file: DataFile, task: Task, base_model: Path, group_by: ColumnReference | None
) -> str:
    with file.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return "\n".join(
        (digest, file.filename, str(base_model), task.model_dump_json(), repr(group_by))
    )
