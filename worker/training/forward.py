"""The forward pass of a network in training: how rows become a batch, and a batch logits.

Everything else (optimiser, clipping, checkpoints, export) knows the network itself, whose weights are float32. What a pass computes
with is this module's matter alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from worker.training.text import Batch, EncodedText


class Forward:
    """A network's passes, in training mode or in evaluation mode."""

    def __init__(self, network: PreTrainedModel) -> None:
        self._network = network

    def batch(self, text: EncodedText, rows: Sequence[int]) -> Batch:
        """These rows on the network's device, in the form that a pass takes."""
        return text.batch(rows).to(self._network.device)

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of shape (rows, outputs), float32."""
        logits: Tensor = self._network(**batch.inputs).logits
        return logits.float()

    def train(self) -> None:
        """Dropout on."""
        self._network.train()

    def eval(self) -> None:
        """Dropout off."""
        self._network.eval()

    @property
    def device(self) -> torch.device:
        device: torch.device = self._network.device
        return device
