"""The forward pass of a network in training: rows to a batch, and a batch to logits.

The rest of training (optimizer, clipping, checkpoints, export) handles the network itself, whose
weights are float32. Only this module knows which weights a pass is computed with.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from worker.training.data.tokenization import Batch, EncodedText
from worker.training.device import to_device
from worker.training.packed.packing import (
    build_packed_inputs,
    enable_packed_forward,
    is_padding_free,
)


class BaseForward:
    """Forward pass of a network or of a stack, with its mode."""

    def __init__(self, network: PreTrainedModel) -> None:
        self._network = network

    def train(self) -> None:
        """Switch to training mode, with dropout."""
        self._network.train()

    def eval(self) -> None:
        """Switch to evaluation mode, without dropout."""
        self._network.eval()

    @property
    def device(self) -> torch.device:
        device: torch.device = self._network.device
        return device


class Forward(BaseForward):
    """Forward pass of a single network."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__(network)
        self.padding_free = is_padding_free(network)
        """Whether batches are packed; if the family does not allow that, they are padded."""

    def build_batch(self, text: EncodedText, rows: Sequence[int]) -> Batch:
        """Return a batch of the rows on the network's device, packed if the family allows it."""
        if not self.padding_free:
            return text.build_padded_batch(rows).to(self.device)
        inputs, layout = build_packed_inputs(text, [rows], self._network)
        return Batch(inputs, to_device(text.build_targets(rows), self.device), layout)

    def __call__(self, batch: Batch) -> Tensor:
        """Return float32 logits of shape (rows, outputs)."""
        if batch.layout is None:
            return cast(Tensor, self._network(**batch.inputs).logits.float())
        with enable_packed_forward(self._network, batch.layout):
            logits = self._network(**batch.inputs, layout=batch.layout).logits
            return cast(Tensor, logits[0].float())
