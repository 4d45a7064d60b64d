"""A loaded published model: tokenizer and ONNX graph."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
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

from shared.domain.errors import ModelNotServed
from shared.domain.naming import GRAPH_FILE, WEIGHTS_FILE

Logits = npt.NDArray[np.float32]
Text = str | tuple[str, str]
"""A text, or a pair of texts."""

MAX_TOKENS_PER_PASS = 1024  # rows × tokens; it affects predictions by rounding only
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

    rows: list[Encoding]
    truncated: list[bool]
    """Whether the text had more than ``max_seq_length`` tokens."""

    @property
    def token_count(self) -> int:
        return sum(len(row) for row in self.rows)


class Classifier:
    """A model that classifies texts; safe to use from several threads at once."""

    def __init__(self, folder: Path, *, max_seq_length: int, threads: int) -> None:
        """Load a model from its folder.

        Raises ModelNotServed for a folder without a graph, or with one that ONNX Runtime refuses.
        """
        graph = folder / GRAPH_FILE
        self._session = _load_session(graph, threads)
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._pad_token_id = int(self._session.get_modelmeta().custom_metadata_map["pad_token_id"])
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_seq_length, strategy="longest_first")
        self.bytes = graph.stat().st_size + (folder / WEIGHTS_FILE).stat().st_size
        """Approximate memory use."""

    def encode_texts(self, texts: Sequence[Text]) -> EncodedTexts:
        """Tokenize as in training; of a pair, the longer text is truncated first."""
        rows = self._tokenizer.encode_batch(list(texts))
        return EncodedTexts(rows, [bool(row.overflowing) for row in rows])

    def compute_logits(
        self, encoded: EncodedTexts, pass_lock: AbstractContextManager[object] | None = None
    ) -> Logits:
        """Return logits of shape (rows, outputs), in the order of the texts.

        ``pass_lock`` is acquired for each forward pass and released between passes.
        """
        row_order: list[int] = []
        passes: list[Logits] = []
        for rows in iterate_length_batches([len(row) for row in encoded.rows]):
            feed = self._build_feed([encoded.rows[row] for row in rows])
            with pass_lock or nullcontext():
                [logits] = self._session.run(["logits"], feed)
            passes.append(logits)
            row_order.extend(rows)
        logits_by_row: Logits = np.concatenate(passes)[np.argsort(row_order)]
        return logits_by_row

    def _build_feed(self, rows: Sequence[Encoding]) -> dict[str, npt.NDArray[np.int64]]:
        """Return the inputs of a pass, of shape (rows, tokens), right-padded to the longest row."""
        shape = len(rows), max(len(row) for row in rows)
        feed = {name: np.zeros(shape, np.int64) for name in self._inputs}
        feed["input_ids"][:] = self._pad_token_id
        for index, row in enumerate(rows):
            values = {
                "input_ids": row.ids,
                "attention_mask": row.attention_mask,
                "token_type_ids": row.type_ids,
            }
            for name in self._inputs:
                feed[name][index, : len(row)] = values[name]
        return feed


def iterate_length_batches(
    lengths: Sequence[int], max_tokens: int = MAX_TOKENS_PER_PASS
) -> Iterator[list[int]]:
    """Group rows of similar length, so that hardly any padding is computed.

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


def _load_session(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    if not graph.is_file():
        raise ModelNotServed(
            "This model has no ONNX graph: it was published by an earlier version, or its family "
            "cannot be exported. Use its model.zip with the transformers library instead.",
            param="model",
        )
    try:
        return onnxruntime.InferenceSession(
            graph, _create_session_options(threads), providers=["CPUExecutionProvider"]
        )
    except _UNUSABLE_GRAPH_ERRORS as error:
        raise ModelNotServed(
            f"ONNX Runtime cannot load this model ({type(error).__name__}); use its model.zip with "
            "the transformers library instead.",
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
