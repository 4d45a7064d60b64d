"""Text features without a trained encoder: TF-IDF word counts and frozen encoder states."""

from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn

from worker.training.baselines.linear import Array
from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split

WORD_PATTERN = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]"
"""One character of a script without spaces, a run of letters and digits, or one other sign."""


class TfIdfFeatures:
    """TF-IDF of words and bigrams, with 1 + log of the counts, each text scaled to length 1.

    For a pair of texts a and b, the features are those of a, of b, |a - b| and a·b, so that a
    linear model can see what the two share.
    """

    def __init__(self, max_features: int) -> None:
        self._vectorizer = TfidfVectorizer(
            ngram_range=(1, 2),
            token_pattern=WORD_PATTERN,
            sublinear_tf=True,
            max_features=max_features,
        )

    def fit(self, inputs: Array) -> Self:
        """Fit to texts of shape (rows, 1), or (rows, 2) for pairs."""
        self._vectorizer.fit(inputs.ravel())
        return self

    def transform(self, inputs: Array) -> csr_matrix:
        """Return a sparse matrix of shape (rows, features)."""
        first, *others = (self._vectorizer.transform(column) for column in inputs.T)
        if not others:
            return first
        [second] = others
        return hstack([first, second, abs(first - second), first.multiply(second)], format="csr")


@torch.no_grad()
def compute_frozen_states(
    encoder: nn.Module, split: Split, check_stop: Callable[[], None]
) -> Array:
    """Return the last hidden states averaged over each row's tokens, of shape (rows, width).

    The result is in the split's order. The encoder is left in evaluation mode. ``check_stop`` is
    called before each batch and may raise.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    states: dict[int, Tensor] = {}
    for rows in iterate_batches_by_length(split.rows, split.text):
        check_stop()
        inputs = split.text.build_padded_batch(rows).to(device).inputs
        means = _average_tokens(encoder(**inputs).last_hidden_state, inputs["attention_mask"])
        states.update(zip(rows, means.cpu(), strict=True))
    return np.asarray(torch.stack([states[row] for row in split.rows]).double().numpy())


def _average_tokens(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the mean over each row's tokens of hidden states (rows, tokens, width)."""
    mask = attention_mask[..., None].to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)
