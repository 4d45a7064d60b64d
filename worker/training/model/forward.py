"""The forward pass of a network in training: how rows become a batch, and a batch logits.

Everything else (optimiser, clipping, checkpoints, export) knows the network itself, whose
weights are float32. What a pass computes with is this module's matter alone.
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
    """Of a network, or of a stack of them, in training mode or in evaluation mode."""

    def __init__(self, network: PreTrainedModel) -> None:
        self._network = network

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


class Forward(BaseForward):
    """A single network's passes."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__(network)
        self.padding_free = is_padding_free(network)
        """Whether batches go without padding; of a family that cannot, they are padded to their
        own longest row.
        """

    def build_batch(self, text: EncodedText, rows: Sequence[int]) -> Batch:
        """These rows on the network's device, in the form that a pass takes."""
        if not self.padding_free:
            return text.build_padded_batch(rows).to(self.device)
        inputs, layout = build_packed_inputs(text, [rows], self._network)
        return Batch(inputs, to_device(text.build_targets(rows), self.device), layout)

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of shape (rows, outputs), float32."""
        if batch.layout is None:
            return cast(Tensor, self._network(**batch.inputs).logits.float())
        with enable_packed_forward(self._network, batch.layout):
            return cast(
                Tensor, self._network(**batch.inputs, layout=batch.layout).logits[0].float()
            )
