"""Heads that compare two separately encoded texts, all computed in float32 in either precision."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

PAIR_FEATURES = 4
"""u, v, |u - v| and u·v, each as wide as the encoder; the cosine is one more."""
SOFT_MINIMUM_TEMPERATURES = (0.05, 0.2)
"""The lower one looks at the least similar token, the higher one at the less similar ones."""
ALIGNMENT_FEATURES = 1 + 2 * (1 + len(SOFT_MINIMUM_TEMPERATURES))
"""The cosine; and of each text the mean and the soft minima of its tokens' similarities."""


class TokenStates(NamedTuple):
    """The last states of some sequences' tokens, right-padded to the longest sequence."""

    states: Tensor
    """Of shape (…, sequences, tokens, width)."""
    mask: Tensor
    """Of shape (…, sequences, tokens), bool: whether there is a token."""

    def split_pairs(self) -> tuple["TokenStates", "TokenStates"]:
        """Split into the first half of the sequences and the second."""
        states = self.states.unflatten(-3, (2, -1)).unbind(-4)
        masks = self.mask.unflatten(-2, (2, -1)).unbind(-3)
        return TokenStates(states[0], masks[0]), TokenStates(states[1], masks[1])

    def average(self) -> Tensor:
        """Return each sequence's mean over its tokens, float32 of shape (…, sequences, width)."""
        mask = self.mask[..., None].float()
        return (self.states.float() * mask).sum(dim=-2) / mask.sum(dim=-2)


class ComparisonHead(nn.Module):
    """A head that compares two texts; its parameters and arithmetic stay in float32."""


class CosineHead(ComparisonHead):
    """Affine map of the cosine of two vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(1, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return predictions of shape (…, rows, 1) for vectors of shape (…, rows, width)."""
        cosine = functional.cosine_similarity(first.float(), second.float(), dim=-1)
        return cast(Tensor, self.map(cosine[..., None]))


class PairHead(ComparisonHead):
    """Linear layer on the comparison of two vectors."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(PAIR_FEATURES * width + 1, outputs)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return logits of shape (…, rows, outputs) for vectors of shape (…, rows, width)."""
        u = functional.normalize(first.float(), dim=-1)
        v = functional.normalize(second.float(), dim=-1)
        product = u * v
        cosine = product.sum(dim=-1, keepdim=True)
        features = torch.cat([u, v, (u - v).abs(), product, cosine], dim=-1)
        return cast(Tensor, self.output(features))


class AlignmentHead(ComparisonHead):
    """Linear layer on how well the tokens of two texts match.

    Each token is as similar to the other text as to the token there whose state has the highest
    cosine with its own, as in BERTScore (Zhang et al. 2020) and ColBERT (Khattab and Zaharia
    2020). Of the similarities of each text's tokens the layer reads the mean, and soft minima,
    which tell whether some part has no counterpart. It also reads the cosine of two vectors.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(ALIGNMENT_FEATURES, outputs)

    def forward(
        self, vectors: tuple[Tensor, Tensor], tokens: tuple[TokenStates, TokenStates]
    ) -> Tensor:
        """Return logits of shape (…, rows, outputs).

        ``vectors`` have the shape (…, rows, width), the tokens' states (…, rows, tokens, width).
        """
        cosine = functional.cosine_similarity(vectors[0].float(), vectors[1].float(), dim=-1)
        return cast(Tensor, self.output(torch.cat([cosine[..., None], align(*tokens)], dim=-1)))


def align(first: TokenStates, second: TokenStates) -> Tensor:
    """Return the features of two texts' tokens, float32 of shape (…, rows, features).

    They are the mean and the soft minima of the first text's similarities, then of the second's.
    """
    a, b = (functional.normalize(text.states.float(), dim=-1) for text in (first, second))
    cosines = a @ b.transpose(-1, -2)
    # padding is no counterpart: -1 is the least that a cosine can be
    of_first = cosines.masked_fill(~second.mask[..., None, :], -1.0).amax(dim=-1)
    of_second = cosines.masked_fill(~first.mask[..., None], -1.0).amax(dim=-2)
    return torch.stack(
        [*_summarize(of_first, first.mask), *_summarize(of_second, second.mask)], dim=-1
    )


def _summarize(similarities: Tensor, mask: Tensor) -> list[Tensor]:
    """Reduce similarities (…, tokens) to their mean and soft minima, each of shape (…).

    The soft minimum at temperature T is -T · log(mean of exp(-s / T)): between minimum and mean.
    """
    counts = mask.sum(dim=-1).float()
    mean = similarities.masked_fill(~mask, 0.0).sum(dim=-1) / counts
    minima = [
        -temperature
        * (
            (similarities / -temperature).masked_fill(~mask, -torch.inf).logsumexp(dim=-1)
            - counts.log()
        )
        for temperature in SOFT_MINIMUM_TEMPERATURES
    ]
    return [mean, *minima]
