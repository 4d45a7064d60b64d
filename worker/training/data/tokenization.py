"""From rows of text to padded batches of token ids.

A file is tokenised once for a base model and a task; the warm trainer process keeps the result
for the job's other seeds. Batches are padded to their own longest row: short texts cost what
they are, not what ``max_seq_length`` allows.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from shared.datasets import Examples, Limits, load_examples, read_table
from shared.domain.task import Column, Label, Task
from worker.training.device import to_device
from worker.training.errors import BaseModelUnreadable
from worker.training.model.folder_fingerprint import FolderFingerprint, compute_folder_fingerprint
from worker.training.model.transformers_logging import silence_transformers
from worker.training.optim.objective import build_targets
from worker.training.packed.packed_layout import PackedLayout
from worker.training.spec import DataFile

TOKENIZER_CHUNK_ROWS = 1000  # rows; bounds how long a wish to stop goes unseen

UNLIMITED_ROWS = Limits(
    max_rows=10**9
)  # how many rows a file may have was decided when it was uploaded


@dataclass(frozen=True)
class Batch:
    inputs: dict[str, Tensor]
    """Keyword arguments of the network's forward pass, each of shape (rows, tokens); without
    padding, (1, tokens of all rows).
    """
    labels: Tensor
    """As ``objective.build_targets`` makes them: of shape (rows,), or (rows, labels) for
    multi-label.
    """
    layout: PackedLayout | None = None
    """Where the rows lie in a batch without padding; None: it is padded."""

    def to(self, device: torch.device) -> "Batch":
        inputs = {name: to_device(tensor, device) for name, tensor in self.inputs.items()}
        return Batch(inputs, to_device(self.labels, device), self.layout)


@dataclass(frozen=True)
class EncodedText:
    """A file's rows as token ids, in the order of the file."""

    columns: dict[str, list[Tensor]]
    """``input_ids`` and, where the family has them, ``token_type_ids``: one 1-D int64 tensor a
    row.
    """
    padding: dict[str, int]
    """What fills the short rows of a batch, by column."""
    examples: Examples
    """The rows themselves: texts and labels."""
    truncated: list[bool]
    """Whether the row was longer than ``max_seq_length`` tokens."""

    @property
    def labels(self) -> Sequence[Label]:
        return self.examples.labels

    def list_lengths(self, rows: Sequence[int]) -> list[int]:
        return [len(self.columns["input_ids"][row]) for row in rows]

    def build_padded_batch(self, rows: Sequence[int]) -> Batch:
        """These rows, padded on the right to the longest of them."""
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
        """The labels of these rows, as ``objective.build_targets`` makes them."""
        return build_targets([self.labels[row] for row in rows], self.examples.num_labels)


def load_tokenizer(base_model: Path) -> PreTrainedTokenizerBase:
    """The base model's own tokenizer; never code from its folder, never the network. Raises
    BaseModelUnreadable.
    """
    try:
        with silence_transformers():
            config = AutoConfig.from_pretrained(
                base_model, local_files_only=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(
                base_model,
                local_files_only=True,
                trust_remote_code=False,
                **_build_tokenizer_options(config),
            )
            vocabulary = config.vocab_size
    except (OSError, ValueError, KeyError, AttributeError) as problem:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} cannot be read: {problem}", param="model"
        ) from problem
    # transformers makes an empty tokenizer where there is no file to read one from
    if not any((base_model / file).is_file() for file in tokenizer.vocab_files_names.values()):
        raise BaseModelUnreadable(
            f"{base_model.name} has no tokenizer: tokenizer.json is missing.", param="model"
        )
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise BaseModelUnreadable(
            f"{base_model.name} has no fast tokenizer with a padding token.", param="model"
        )
    if len(tokenizer) > vocabulary:
        raise BaseModelUnreadable(
            (
                f"The tokenizer of {base_model.name} knows {len(tokenizer)} tokens, its "
                f"weights {vocabulary}."
            ),
            param="model",
        )
    return tokenizer


@lru_cache(maxsize=1)
def _load_export_tokenizer(
    base_model: Path, _fingerprint: FolderFingerprint
) -> PreTrainedTokenizerBase:
    return load_tokenizer(base_model)


def get_export_tokenizer(base_model: Path) -> PreTrainedTokenizerBase:
    """The base model's own, read once for the runs of a job; not to be tokenised with, which
    would leave its mark on what is written.

    Raises BaseModelUnreadable.
    """
    return _load_export_tokenizer(base_model, compute_folder_fingerprint(base_model))


def _build_tokenizer_options(config: PreTrainedConfig) -> dict[str, list[str]]:
    """What the tokenizer is told to make, where the encoder cannot tell the texts of a pair
    apart; many tokenizers try to all the same, and RoBERTa's single row of types would be
    read past its end.
    """
    if getattr(config, "type_vocab_size", 0) >= 2:
        return {}
    return {"model_input_names": ["input_ids", "attention_mask"]}


def encode_examples(
    examples: Examples,
    tokenizer: PreTrainedTokenizerBase,
    max_seq_length: int,
    check_stop: Callable[[], None],
) -> EncodedText:
    """Tokenise every row; of a pair the longer text is cut first. ``pause`` is called between
    portions and may raise.
    """
    columns: dict[str, list[Tensor]] = {}
    truncated: list[bool] = []
    for start in range(0, len(examples.texts), TOKENIZER_CHUNK_ROWS):
        check_stop()
        portion = slice(start, start + TOKENIZER_CHUNK_ROWS)
        encoded = tokenizer(
            list(examples.texts[portion]),
            None if examples.second_texts is None else list(examples.second_texts[portion]),
            truncation="longest_first",
            max_length=max_seq_length,
            padding=False,
            return_attention_mask=False,
        )
        for name, rows in encoded.items():
            columns.setdefault(name, []).extend(torch.tensor(row) for row in rows)
        truncated.extend(bool(row.overflowing) for row in encoded.encodings or ())
    padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    return EncodedText(columns, padding, examples, truncated)


class TextCache:
    """The last few encoded files of this process, by content: a warm trainer reads a job's file
    once for all its seeds.
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
        group_by: Column | None = None,
    ) -> EncodedText:
        """Raises InvalidValue, naming ``param``, where the file does not fit the task."""
        with file.path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        key = "\n".join(
            (digest, file.filename, str(base_model), task.model_dump_json(), repr(group_by))
        )
        if key not in self._entries:
            table = read_table(file.path, file.filename, header=task.header, limits=UNLIMITED_ROWS)
            examples = load_examples(table, task, group_by=group_by, param=param)
            self._entries[key] = encode_examples(
                examples, load_tokenizer(base_model), task.max_seq_length, check_stop
            )
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return self._entries[key]
