"""The frozen encoder's views of rows: texts as training joins them, and pairs text by text."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from shared.domain.task import TaskType
from worker.training.baselines.features import (
    Pooling,
    compare_embeddings,
    compute_cosine,
    compute_frozen_states,
    scale_to_length_one,
)
from worker.training.baselines.rows import Array
from worker.training.data.split import Split
from worker.training.data.tokenization import EncodedText, encode_examples
from worker.training.data.tokenizer import load_tokenizer
from worker.training.model.encoder import has_pretrained_pooler, load_encoder
from worker.training.pinned_model import require_spec_model
from worker.training.spec import DataSpec

Views = Mapping[str, Array]
"""Inputs of linear models by name of the view, each with one row per row of a split."""
UNUSED_INIT_SEED = 0
"""Seed of the head, which no view uses."""


class FrozenEncoder:
    """States of a split's rows; each text is computed once for all folds and views."""

    def __init__(self, spec: DataSpec, check_stop: Callable[[], None]) -> None:
        self._spec = spec
        self._encoder = load_encoder(spec.base_model, spec.task, UNUSED_INIT_SEED).base_model
        require_spec_model(spec)
        self._encoder.to(spec.device)
        self._poolings: tuple[Pooling, ...] = ("mean", "cls")
        if has_pretrained_pooler(spec.base_model, spec.task):
            self._poolings += ("pooler",)
        self._check_stop = check_stop
        self._states_by_text: dict[int, tuple[EncodedText, dict[int, Array]]] = {}
        """The text and the states by row, by the text's ``id``."""
        self._pairs: dict[int, tuple[EncodedText, EncodedText, EncodedText]] = {}
        """A text of pairs, its first and its second texts, by the pair text's ``id``."""

    def get_joined_views(self, split: Split) -> Views:
        """Return a view (rows, width) per pooling of the rows' texts, pairs joined."""
        return self._index_by_pooling(self._get_states(split))

    def get_pair_views(self, split: Split) -> Views:
        """Return views (rows, features) that compare the states of a pair's two texts."""
        views: dict[str, Array] = {}
        for pooling, (first, second) in self._get_pair_states(split).items():
            compared = compare_embeddings(first, second)
            views[f"{pooling}, compared"] = compared
            if self._spec.task.type is not TaskType.REGRESSION:  # a direction, as in entailment
                texts = scale_to_length_one(first), scale_to_length_one(second)
                views[f"{pooling}, both"] = np.concatenate([compared, *texts], axis=1)
        return views

    def get_cosine_views(self, split: Split) -> Views:
        """Return a view (rows, 1) per pooling: the cosine of a pair's two texts."""
        pairs = self._get_pair_states(split).items()
        return {pooling: compute_cosine(first, second) for pooling, (first, second) in pairs}

    def _get_pair_states(self, split: Split) -> dict[str, tuple[Array, Array]]:
        first, second = (
            self._index_by_pooling(self._get_states(Split(text, split.rows)))
            for text in self._encode_apart(split.text)
        )
        return {pooling: (first[pooling], second[pooling]) for pooling in self._poolings}

    def _encode_apart(self, text: EncodedText) -> tuple[EncodedText, EncodedText]:
        if id(text) not in self._pairs:
            pairs = text.examples
            assert pairs.second_texts is not None, "only pairs have two texts"
            first, second = (
                encode_examples(
                    replace(pairs, texts=texts, second_texts=None),
                    load_tokenizer(self._spec.base_model),
                    self._spec.task.max_seq_length,
                    self._check_stop,
                )
                for texts in (pairs.texts, pairs.second_texts)
            )
            self._pairs[id(text)] = text, first, second
        _, first, second = self._pairs[id(text)]
        return first, second

    def _index_by_pooling(self, states: Array) -> dict[str, Array]:
        """Return states of shape (rows, poolings, width) as one array (rows, width) by pooling."""
        return {pooling: states[:, index] for index, pooling in enumerate(self._poolings)}

    def _get_states(self, split: Split) -> Array:
        """Return the states of the split's rows, of shape (rows, poolings, width)."""
        _, states_by_row = self._states_by_text.setdefault(id(split.text), (split.text, {}))
        missing = [row for row in split.rows if row not in states_by_row]
        if missing:
            states = compute_frozen_states(
                self._encoder, split.text, missing, self._poolings, self._check_stop
            )
            states_by_row.update(zip(missing, states, strict=True))
        return np.stack([states_by_row[row] for row in split.rows])
