"""A loaded published model: tokenizer and ONNX graph."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)
from tokenizers import Encoding, Tokenizer

from shared.domain.errors import InvalidValue, ModelNotServed
from shared.domain.naming import GRAPH_FILE, HEAD_WEIGHTS_FILE, WEIGHTS_FILE
from shared.encoders.tokenizer_panics import TokenizerFailed, catch_panics

Logits = npt.NDArray[np.float32]
Text = str | tuple[str, str]
"""A text, or a pair of texts."""
EncodedRow = tuple[Encoding, ...]
"""One sequence of tokens, or two where the texts of a pair are encoded separately."""

_UNUSABLE_GRAPH_ERRORS = (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)


@dataclass(frozen=True)
class EncodedTexts:
    """Tokenized texts, in their order."""

    rows: list[EncodedRow]

    @property
    def truncated(self) -> list[bool]:
        """Whether the text had more than ``max_seq_length`` tokens."""
        return [any(sequence.overflowing for sequence in row) for row in self.rows]

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each text."""
        return [sum(map(len, row)) for row in self.rows]


class Classifier:
    """A model that classifies texts; safe to use from several threads at once."""

    def __init__(self, folder: Path, *, max_seq_length: int, threads: int) -> None:
        """Load a model from its folder.

        Raises ModelNotServed for a folder without a graph, or with one that ONNX Runtime refuses.
        """
        graph = folder / GRAPH_FILE
        self._session = _load_session(graph, threads)
        self._inputs = [value.name for value in self._session.get_inputs()]
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._pad_token_id = int(metadata["pad_token_id"])
        # graphs of earlier versions do not say it
        self._encodes_separately = metadata.get("pair_encoding", "joined") != "joined"
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_seq_length, strategy="longest_first")
        files = (graph, folder / WEIGHTS_FILE, folder / HEAD_WEIGHTS_FILE)
        self.bytes = sum(file.stat().st_size for file in files if file.exists())
        """Approximate memory use."""

    def encode_texts(self, texts: Sequence[Text]) -> EncodedTexts:
        """Tokenize as in training; of a joined pair, the longer text is truncated first."""
        if not self._encodes_separately:
            return EncodedTexts([(row,) for row in self._encode_batch(texts)])
        parts = [self._encode_batch(part) for part in zip(*texts, strict=True)]
        return EncodedTexts(list(zip(*parts, strict=True)))

    def _encode_batch(self, texts: Sequence[Text]) -> list[Encoding]:
        """Tokenize texts or pairs. Raises InvalidValue for one that the tokenizer fails on."""
        try:
            with catch_panics():
                return self._call_tokenizer(texts)
        except TokenizerFailed as problem:
            raise InvalidValue(
                f"The model's tokenizer cannot read one of the texts ({problem}). Send the texts "
                "one by one to find it, and shorten it.",
                param="input",
            ) from None

    def _call_tokenizer(self, texts: Sequence[Text]) -> list[Encoding]:
        if len(texts) > 1:
            return list(self._tokenizer.encode_batch_fast(list(texts)))
        # the library's threads cost more than a single text
        [text] = texts
        pair = text if isinstance(text, tuple) else (text,)
        return [self._tokenizer.encode(*pair)]

    def run_pass(self, rows: Sequence[EncodedRow]) -> Logits:
        """Return logits of shape (rows, outputs) from one forward pass."""
        logits: Logits
        [logits] = self._session.run(["logits"], self._build_feed(rows))
        return logits

    def _build_feed(self, rows: Sequence[EncodedRow]) -> dict[str, npt.NDArray[np.int64]]:
        """Return the inputs of a pass, of shape (sequences, tokens), right-padded to the longest.

        The second sequences of all rows follow the first ones.
        """
        sequences = [sequence for part in zip(*rows, strict=True) for sequence in part]
        shape = len(sequences), max(map(len, sequences))
        feed = {name: np.zeros(shape, np.int64) for name in self._inputs}
        feed["input_ids"][:] = self._pad_token_id
        for index, sequence in enumerate(sequences):
            values = {
                "input_ids": sequence.ids,
                "attention_mask": sequence.attention_mask,
                "token_type_ids": sequence.type_ids,
            }
            for name in self._inputs:
                feed[name][index, : len(sequence)] = values[name]
        return feed


def order_logits(passes: Iterable[tuple[list[int], Logits]]) -> Logits:
    """Return the logits of all passes, given with their row indices, in the order of the rows."""
    groups, logits = zip(*passes, strict=True)
    if len(groups) == 1 and len(groups[0]) == 1:
        only: Logits = logits[0]
        return only
    row_order = [row for group in groups for row in group]
    ordered: Logits = np.concatenate(logits)[np.argsort(row_order)]
    return ordered


def _load_session(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    if not graph.is_file():
        raise ModelNotServed(
            "This model has no ONNX graph: it was published by an earlier version, or its family "
            "cannot be exported. Load its model.zip as the README.md in it says.",
            param="model",
        )
    try:
        return onnxruntime.InferenceSession(
            graph, _create_session_options(threads), providers=["CPUExecutionProvider"]
        )
    except _UNUSABLE_GRAPH_ERRORS as error:
        raise ModelNotServed(
            f"ONNX Runtime cannot load this model ({type(error).__name__}); load its model.zip as "
            "the README.md in it says.",
            param="model",
        ) from error


def _create_session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # spinning threads of idle models would take the cores from the others
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
