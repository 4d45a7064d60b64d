"""Two ways to make numbers of texts without training an encoder: weighted word counts, and the
frozen encoder's own states.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn

from worker.training.baselines.linear import Array
from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split

# a run of letters and digits, one sign of a script that is written without blanks, or one other
# sign
WORD_PATTERN = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]"


class TfIdfFeatures:
    """TF-IDF of words and pairs of neighbouring words, with 1 + log of the counts, each text
    scaled to length 1.

    Of a pair of texts a and b: the weights of a, of b, |a - b| and a·b, so that a linear model
    can see what the two share.
    """

    def __init__(self, max_features: int) -> None:
        self._vectorizer = TfidfVectorizer(
            ngram_range=(1, 2),
            token_pattern=WORD_PATTERN,
            sublinear_tf=True,
            max_features=max_features,
        )

    def fit(self, inputs: Array) -> Self:
        """``inputs``: texts, of shape (rows, 1), or (rows, 2) for pairs."""
        self._vectorizer.fit(inputs.ravel())
        return self

    def transform(self, inputs: Array) -> Any:
        """Sparse, of shape (rows, features)."""
        first, *others = (self._vectorizer.transform(column) for column in inputs.T)
        if not others:
            return first
        [second] = others
        return hstack([first, second, abs(first - second), first.multiply(second)], format="csr")


@torch.no_grad()
def compute_frozen_states(
    encoder: nn.Module, split: Split, check_stop: Callable[[], None]
) -> Array:
    """The encoder's last hidden states, averaged over a row's tokens, of shape (rows of the
    split, width), in the order of its rows.

    Puts the encoder into evaluation mode. ``pause`` is called before each batch and may raise.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    states: dict[int, Tensor] = {}
    for rows in iterate_batches_by_length(split.rows, split.text):
        check_stop()
        inputs = split.text.build_padded_batch(rows).to(device).inputs
        hidden = encoder(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(hidden.dtype)
        means = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        states.update(zip(rows, means.cpu(), strict=True))
    return np.asarray(torch.stack([states[row] for row in split.rows]).double().numpy())
