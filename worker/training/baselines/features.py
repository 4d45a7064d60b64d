"""Text features without training: TF-IDF word counts, frozen encoder states, and their pairs."""

from collections.abc import Callable, Sequence
from typing import Literal, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from worker.training.baselines.rows import Array
from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.tokenization import EncodedText

WORD_PATTERN = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]"
"""One character of a script without spaces, a run of letters and digits, or one other sign."""


Pooling = Literal["mean", "cls", "pooler"]
"""One vector per text: the mean of its tokens' last hidden states, the first token's, or the
pooler's output.
"""


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
    encoder: nn.Module,
    text: EncodedText,
    rows: Sequence[int],
    poolings: Sequence[Pooling],
    check_stop: Callable[[], None],
) -> Array:
    """Return a vector per row and pooling, of shape (rows, poolings, width), in the rows' order.

    The encoder is left in evaluation mode. ``check_stop`` is called before each batch and may
    raise.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    states: dict[int, Tensor] = {}
    for batch in iterate_batches_by_length(rows, text):
        check_stop()
        inputs = text.build_padded_batch(batch).to(device).inputs
        output = encoder(**inputs)
        pooled = [_pool(output, inputs["attention_mask"], pooling) for pooling in poolings]
        states.update(zip(batch, torch.stack(pooled, dim=1).cpu(), strict=True))
    return np.asarray(torch.stack([states[row] for row in rows]).double().numpy())


def _pool(output: ModelOutput, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    hidden: Tensor = output["last_hidden_state"]
    match pooling:
        case "mean":
            return _average_tokens(hidden, attention_mask)
        case "cls":
            return hidden[:, 0]
        case "pooler":
            pooled: Tensor = output["pooler_output"]
            return pooled


def _average_tokens(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the mean over each row's tokens of hidden states (rows, tokens, width)."""
    mask = attention_mask[..., None].to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def compare_embeddings(first: Array, second: Array) -> Array:
    """Return |a - b|, a·b and the cosine of each row's two vectors, of shape (rows, 2 width + 1).

    The vectors a and b are scaled to length 1. The features are the usual ones of a pair of
    sentence embeddings (Conneau et al. 2017; the cosine as in Reimers & Gurevych 2019).
    """
    a, b = scale_to_length_one(first), scale_to_length_one(second)
    return np.concatenate([abs(a - b), a * b, compute_cosine(a, b)], axis=1)


def compute_cosine(first: Array, second: Array) -> Array:
    """Return the cosine of each row's two vectors, of shape (rows, 1); 0 for a vector of zeros."""
    products = scale_to_length_one(first) * scale_to_length_one(second)
    cosine: Array = products.sum(axis=1, keepdims=True)
    return cosine


def scale_to_length_one(vectors: Array) -> Array:
    """Scale each row; a vector of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Array = vectors / np.where(norms > 0, norms, 1.0)
    return scaled
